# What there is to run. The work is in scripts/, so that it can be read and run by itself.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help test check lab soak demo undemo demo-plugin docs fuzz bench dist clean

help:
	@sed -n 's/^## //p' Makefile

## make test    everything that must pass before a merge; sets up what it needs
test:
	@scripts/stages setup fmt shell clippy deny advisories build agents tfplugindocs nextest lab doctest go-plugin terraform tofu

## make check   the quick part of it, for while you work
check:
	@scripts/stages setup fmt shell clippy deny fast

## make lab     tests on real hosts, made on this machine by systemd-nspawn; needs root
lab:
	@scripts/stages setup agents lab

## make soak    the long ones of them: every step of every operation is the last of a provider
soak:
	@scripts/stages setup build agents soak

## make demo    a control plane behind a balancer on this machine: brought up, hurt, repaired, restored, taken down; ENGINE=tofu for OpenTofu, KEEP=1 leaves it running
demo:
	@scripts/demo

## make undemo  removes what a demo has left, be it on purpose or as it was killed
undemo:
	@scripts/undemo

## make demo-plugin  the plugin layer at work with a test provider
demo-plugin:
	@scripts/demo-plugin

## make docs    writes the generated pages under docs/ anew
docs:
	@UPDATE=1 cargo test --locked --test docs

## make fuzz    every fuzz target for 60 s (FUZZ_SECONDS)
fuzz:
	@scripts/fuzz

## make bench   side-by-side measurements
bench:
	@scripts/bench

## make dist    the release files for this machine's system, under target/dist
dist:
	@scripts/dist

## make clean   removes what was built here; tools stay in the cache
clean:
	@cargo clean

#!/bin/sh
# Whether the proxy of this node leads to an API server.
exec curl --silent --fail --max-time 2 --insecure https://localhost:6443/healthz --output /dev/null

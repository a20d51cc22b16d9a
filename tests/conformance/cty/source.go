package main

import (
	"maps"
	"math"
	"math/rand"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/msgpack"
)

// typed is a value as it comes out of its own encoding. That is where it loses what no encoding
// keeps: the type of a null inside a dynamic list, or the precision of a number.
type typed struct {
	ty      cty.Type
	value   cty.Value
	msgpack []byte
	// inexact: a double is in it whose shortest decimals are another number.
	inexact bool
}

// source makes the same values from the same seed.
type source struct {
	*rand.Rand
	inexact bool
}

func newSource(seed int64) *source {
	return &source{Rand: rand.New(rand.NewSource(seed))}
}

func (s *source) next() typed {
	for {
		s.inexact = false
		ty := s.typ(4)
		bytes, err := msgpack.Marshal(s.value(s.resolve(ty, 3)), ty)
		if err != nil {
			panic(err)
		}
		value, err := decode(bytes, ty)
		if err != nil {
			continue // Elements turned out to have unequal types: not a value after all.
		}
		if bytes, err = msgpack.Marshal(value, ty); err != nil {
			panic(err)
		}
		return typed{ty, value, bytes, s.inexact}
	}
}

func (s *source) typ(depth int) cty.Type {
	if depth == 0 || s.Intn(4) == 0 {
		simple := []cty.Type{cty.Bool, cty.Number, cty.Number, cty.String, cty.DynamicPseudoType}
		return simple[s.Intn(len(simple))]
	}
	switch s.Intn(5) {
	case 0:
		return cty.List(s.typ(depth - 1))
	case 1:
		return cty.Set(s.typ(depth - 1))
	case 2:
		return cty.Map(s.typ(depth - 1))
	case 3:
		elements := make([]cty.Type, s.Intn(4))
		for at := range elements {
			elements[at] = s.typ(depth - 1)
		}
		return cty.Tuple(elements)
	}
	attributes := map[string]cty.Type{}
	for range s.Intn(5) {
		attributes[s.name()] = s.typ(depth - 1)
	}
	return cty.Object(attributes)
}

// resolve decides what dynamic values will be. All elements of a collection must agree, so it is
// decided before there are any. What stays dynamic will be null or unknown.
func (s *source) resolve(ty cty.Type, depth int) cty.Type {
	switch {
	case ty == cty.DynamicPseudoType:
		if depth == 0 || s.Intn(4) == 0 {
			return ty
		}
		return s.resolve(s.typ(depth-1), depth-1)
	case ty.IsListType():
		return cty.List(s.resolve(ty.ElementType(), depth))
	case ty.IsSetType():
		return cty.Set(s.resolve(ty.ElementType(), depth))
	case ty.IsMapType():
		return cty.Map(s.resolve(ty.ElementType(), depth))
	case ty.IsTupleType():
		elements := []cty.Type{} // A nil slice is `null` in JSON.
		for _, of := range ty.TupleElementTypes() {
			elements = append(elements, s.resolve(of, depth))
		}
		return cty.Tuple(elements)
	case ty.IsObjectType():
		attributes := map[string]cty.Type{}
		for _, name := range names(ty) {
			attributes[name] = s.resolve(ty.AttributeType(name), depth)
		}
		return cty.Object(attributes)
	}
	return ty
}

func (s *source) value(ty cty.Type) cty.Value {
	switch {
	case s.Intn(12) == 0:
		return cty.NullVal(ty)
	case s.Intn(12) == 0:
		return s.unknown(ty)
	case ty == cty.DynamicPseudoType:
		return []cty.Value{cty.DynamicVal, cty.NullVal(ty)}[s.Intn(2)]
	case ty == cty.Bool:
		return cty.BoolVal(s.Intn(2) == 0)
	case ty == cty.Number:
		return s.number()
	case ty == cty.String:
		return cty.StringVal(s.text())
	case ty.IsTupleType():
		var elements []cty.Value
		for _, of := range ty.TupleElementTypes() {
			elements = append(elements, s.value(of))
		}
		return cty.TupleVal(elements)
	case ty.IsObjectType():
		attributes := map[string]cty.Value{}
		for _, name := range names(ty) {
			attributes[name] = s.value(ty.AttributeType(name))
		}
		return cty.ObjectVal(attributes)
	}
	return s.collection(ty)
}

func (s *source) collection(ty cty.Type) cty.Value {
	length := s.Intn(4)
	if s.Intn(50) == 0 {
		length = 20 + s.Intn(20) // The lengths of msgpack have more than one form.
	}
	elements := make([]cty.Value, length)
	for at := range elements {
		elements[at] = s.value(ty.ElementType())
	}
	switch {
	case ty.IsMapType() && length == 0:
		return cty.MapValEmpty(ty.ElementType())
	case ty.IsListType() && length == 0:
		return cty.ListValEmpty(ty.ElementType())
	case length == 0:
		return cty.SetValEmpty(ty.ElementType())
	case ty.IsListType():
		return cty.ListVal(elements)
	case ty.IsSetType():
		return cty.SetVal(elements)
	}
	entries := map[string]cty.Value{}
	for _, it := range elements {
		entries[s.text()] = it
	}
	return cty.MapVal(entries)
}

func (s *source) unknown(ty cty.Type) cty.Value {
	if ty == cty.DynamicPseudoType || s.Intn(3) == 0 {
		return cty.UnknownVal(ty)
	}
	refined := cty.UnknownVal(ty).Refine()
	if s.Intn(2) == 0 {
		refined = refined.NotNull()
	}
	lower := s.Int63n(1000) - 500
	upper := lower + 1 + s.Int63n(1000)
	switch {
	case ty == cty.String:
		refined = refined.StringPrefix(s.text())
	case ty == cty.Number && s.Intn(4) == 0:
		refined = refined.NumberRangeLowerBound(cty.MustParseNumberVal("0.1"), s.Intn(2) == 0)
	case ty == cty.Number:
		if s.Intn(3) != 0 {
			refined = refined.NumberRangeLowerBound(cty.NumberIntVal(lower), s.Intn(2) == 0)
		}
		if s.Intn(3) != 0 {
			bound := cty.NumberFloatVal(float64(upper) + 0.5)
			refined = refined.NumberRangeUpperBound(bound, s.Intn(2) == 0)
		}
	case ty.IsCollectionType():
		if s.Intn(3) != 0 {
			refined = refined.CollectionLengthLowerBound(s.Intn(300))
		}
		if s.Intn(3) != 0 {
			refined = refined.CollectionLengthUpperBound(300 + s.Intn(70_000))
		}
	}
	return refined.NewValue()
}

func (s *source) number() cty.Value {
	switch s.Intn(9) {
	case 0:
		return cty.NumberIntVal(s.Int63n(600) - 300)
	case 1:
		return cty.NumberIntVal(int64(s.Uint64()) >> s.Intn(64))
	case 2:
		edges := []int64{math.MaxInt64, math.MinInt64, math.MaxUint32, math.MaxInt32, -32, -33}
		return cty.NumberIntVal(edges[s.Intn(len(edges))])
	case 3:
		return cty.NumberUIntVal(s.Uint64() | 1<<63)
	case 4: // At most 15 digits, of which a double keeps all.
		return cty.NumberFloatVal(float64(s.Int63n(1<<30)-1<<29) / 64)
	case 5:
		s.inexact = true
		return cty.NumberFloatVal(s.NormFloat64() * math.Pow(10, float64(s.Intn(600)-300)))
	case 6:
		return cty.MustParseNumberVal(s.sign() + s.digits(200))
	case 7:
		return cty.MustParseNumberVal(s.sign() + "0." + s.digits(120))
	}
	return cty.MustParseNumberVal(s.sign() + s.digits(60) + "." + s.digits(60))
}

func (s *source) sign() string {
	return []string{"", "-"}[s.Intn(2)]
}

func (s *source) digits(most int) string {
	var digits strings.Builder
	for range 1 + s.Intn(most) {
		digits.WriteByte('0' + byte(s.Intn(10)))
	}
	return digits.String()
}

func (s *source) text() string {
	letters := []rune("abc XYZ019\"\\/\t\n\x00<&>äßéλж中文한국\u0301\u200d\u2028\ufeff🦀👩👨\U0010ffff")
	var text strings.Builder
	length := s.Intn(8)
	if s.Intn(20) == 0 {
		length = s.Intn(300)
	}
	for range length {
		text.WriteRune(letters[s.Intn(len(letters))])
	}
	return text.String()
}

func (s *source) name() string {
	return []string{"a", "b", "name", "address_v6", "ünï", "日本"}[s.Intn(6)]
}

// names are in order, as the order of a map would make other values of the same seed.
func names(object cty.Type) []string {
	return slices.Sorted(maps.Keys(object.AttributeTypes()))
}

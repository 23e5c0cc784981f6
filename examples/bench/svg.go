package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// chart is horizontal bars over one axis, from 0. It is drawn as SVG by hand: bars are all that the figures need.
type chart struct {
	title, axis, source string
	bars                []bar
	reference           float64 // where a dashed line stands, or 0
}

// bar has the lowest and the highest value as a whisker.
type bar struct {
	label, says      string
	low, value, high float64
}

// chart is a plot of a table, with a bar for each row that ran.
func (r *report) chart(t table, p plot) chart {
	c := chart{title: p.title, axis: p.axis, reference: p.reference}
	c.source = fmt.Sprintf("%s, %s, %d cores, comet-go %s; median, lowest and highest", r.On.Date, r.On.CPU, r.On.Cores, r.On.Module)
	for _, of := range t.rows {
		for _, s := range p.units {
			if v := r.values(of, s.unit); len(v) > 0 {
				label := strings.Replace(s.label, "%s", of.label, 1)
				c.bars = append(c.bars, bar{label, number(median(v), t.digits(s.unit)), v[0], median(v), v[len(v)-1]})
			}
		}
	}
	return c
}

// What the parts of a chart measure, in pixels.
const (
	width    = 760
	top      = 44
	barSpace = 34
	barThick = 18
	margin   = 16
	perRune  = 6.6 // of a label in 12 px
	forValue = 80  // right of the longest bar
)

func (c chart) svg() string {
	left := margin
	most := c.reference
	for _, b := range c.bars {
		left = max(left, margin+int(perRune*float64(utf8.RuneCountInString(b.label))))
		most = max(most, b.high)
	}
	step := tick(most)
	end := max(step, step*math.Ceil(most/step))
	x := func(v float64) float64 { return float64(left) + 8 + v/end*float64(width-left-8-forValue) }
	bottom := top + barSpace*len(c.bars)
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="12" fill="#1f2328">`+"\n", width, bottom+76)
	fmt.Fprintf(&s, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n", escape(c.title))
	text(&s, margin, 26, "start", `font-size="15" font-weight="bold"`, c.title)
	for i := range int(math.Round(end/step)) + 1 {
		v := step * float64(i)
		line(&s, x(v), top, x(v), float64(bottom), `stroke="#d8dee4"`)
		text(&s, x(v), float64(bottom+18), "middle", "", strconv.FormatFloat(v, 'f', max(0, -int(math.Floor(math.Log10(step)))), 64))
	}
	for i, b := range c.bars {
		y := float64(top + barSpace*i + (barSpace-barThick)/2)
		text(&s, float64(left), y+13, "end", "", b.label)
		fmt.Fprintf(&s, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="#4c8bb8"/>`+"\n", x(0), y, x(b.value)-x(0), barThick)
		if b.high > b.low {
			whisker(&s, x(b.low), x(b.high), y+barThick/2)
		}
		text(&s, width-margin, y+13, "end", `font-weight="bold"`, b.says)
	}
	if c.reference > 0 {
		line(&s, x(c.reference), top-4, x(c.reference), float64(bottom), `stroke="#b3401f" stroke-width="1.5" stroke-dasharray="5 3"`)
	}
	line(&s, x(0), float64(bottom), x(end), float64(bottom), `stroke="#57606a"`)
	text(&s, (x(0)+x(end))/2, float64(bottom+40), "middle", "", c.axis)
	text(&s, margin, float64(bottom+64), "start", `font-size="10" fill="#57606a"`, c.source)
	return s.String() + "</svg>\n"
}

func line(s *strings.Builder, x1, y1, x2, y2 float64, style string) {
	fmt.Fprintf(s, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>`+"\n", x1, y1, x2, y2, style)
}

func text(s *strings.Builder, x, y float64, anchor, style, words string) {
	fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, style, escape(words))
}

func whisker(s *strings.Builder, low, high, y float64) {
	const style = `stroke="#1f2328" stroke-width="1.2"`
	line(s, low, y, high, y, style)
	line(s, low, y-4, low, y+4, style)
	line(s, high, y-4, high, y+4, style)
}

// tick is a round distance of ticks of which four to nine or so reach to most.
func tick(most float64) float64 {
	if most <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most)))
	for _, n := range []float64{0.2, 0.5, 1} {
		if most/(n*power) <= 8 {
			return n * power
		}
	}
	return 2 * power
}

func escape(words string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(words)) // to memory, which does not fail
	return b.String()
}

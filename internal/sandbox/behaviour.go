package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of the "sandbox:" line. They bound the memory and the time of one run.
const (
	maxSteps    = 10_000
	maxParallel = 100
	maxPauseMS  = 3_600_000 // one hour
	maxResultKB = 10_240
	maxEvery    = 1_000_000 // for options that act on every Nth event
)

// behaviour is what the "sandbox:" line of a run asks for. Zero means not asked.
type behaviour struct {
	outcome                                         string
	steps                                           int
	stepPause, queuePause, authPause                time.Duration
	auth                                            string
	parallel                                        int
	replay, ids, events, list                       string
	plan, end, finished, abort                      string
	links                                           string
	idGap, drop, cut                                int
	unknown, leak                                   bool
	resultKB                                        int
	text                                            string
	stepPauseGiven, queuePauseGiven, authPauseGiven bool
}

// option is one key of the "sandbox:" line. TestOptionsAreDocumented compares name,
// values and preset with the table in docs/sandbox.md.
type option struct {
	name   string
	values string // as the documentation writes them
	preset string
	set    func(b *behaviour, value string) bool
}

func options() []option {
	return []option{
		choice("outcome", func(b *behaviour) *string { return &b.outcome }, "SUCCESS", "FAILED", "PARTIAL_SUCCESS", "NO_SUCCESS"),
		number("steps", "2 to 5, from the intent", 1, maxSteps, func(b *behaviour, n int) { b.steps = n }),
		number("step_ms", "400", 0, maxPauseMS, func(b *behaviour, n int) { b.stepPause, b.stepPauseGiven = milliseconds(n), true }),
		number("queue_ms", "step_ms", 0, maxPauseMS, func(b *behaviour, n int) { b.queuePause, b.queuePauseGiven = milliseconds(n), true }),
		choice("auth", func(b *behaviour) *string { return &b.auth }, "none", "required", "denied"),
		number("auth_ms", "5 × step_ms", 0, maxPauseMS, func(b *behaviour, n int) { b.authPause, b.authPauseGiven = milliseconds(n), true }),
		{name: "approvals", values: "parallel:N, N from 1 to 100", preset: "parallel:1", set: func(b *behaviour, v string) bool {
			n, err := strconv.Atoi(strings.TrimPrefix(v, "parallel:"))
			b.parallel = n
			return strings.HasPrefix(v, "parallel:") && err == nil && n >= 1 && n <= maxParallel
		}},
		choice("replay", func(b *behaviour) *string { return &b.replay }, "all", "none"),
		choice("ids", func(b *behaviour) *string { return &b.ids }, "stable", "per-connection", "none"),
		number("id_gap", "0", 0, maxEvery, func(b *behaviour, n int) { b.idGap = n }),
		number("drop", "0", 0, maxEvery, func(b *behaviour, n int) { b.drop = n }),
		number("cut", "0", 0, maxEvery, func(b *behaviour, n int) { b.cut = n }),
		choice("events", func(b *behaviour) *string { return &b.events }, "full", "bare"),
		choice("list", func(b *behaviour) *string { return &b.list }, "array", "wrapped"),
		choice("plan", func(b *behaviour) *string { return &b.plan }, "json", "text", "placeholder"),
		choice("end", func(b *behaviour) *string { return &b.end }, "close", "hold"),
		choice("finished", func(b *behaviour) *string { return &b.finished }, "replay", "404", "204"),
		choice("abort", func(b *behaviour) *string { return &b.abort }, "409", "404", "200"),
		choice("links", func(b *behaviour) *string { return &b.links }, "stored", "stream-only"),
		number("unknown", "0", 0, 1, func(b *behaviour, n int) { b.unknown = n == 1 }),
		number("leak", "0", 0, 1, func(b *behaviour, n int) { b.leak = n == 1 }),
		number("result_kb", "0", 0, maxResultKB, func(b *behaviour, n int) { b.resultKB = n }),
		{name: "text", values: "the rest of the line", preset: "our own words", set: func(b *behaviour, v string) bool {
			b.text = v
			return v != ""
		}},
	}
}

// choice returns an option with fixed words. The first word is the preset.
func choice(name string, field func(*behaviour) *string, words ...string) option {
	return option{name: name, values: strings.Join(words, ", "), preset: words[0], set: func(b *behaviour, v string) bool {
		*field(b) = v
		return slices.Contains(words, v)
	}}
}

// number returns an option with a whole number from low to high.
func number(name, preset string, low, high int, set func(*behaviour, int)) option {
	return option{name: name, values: fmt.Sprintf("%d to %d", low, high), preset: preset, set: func(b *behaviour, v string) bool {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return false
		}
		set(b, n)
		return true
	}}
}

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// setDefaults sets the pauses that were not asked for. They follow step_ms, so
// step_ms=0 also makes the queue and the authorisation fast.
func (b *behaviour) setDefaults(step time.Duration) {
	if !b.stepPauseGiven {
		b.stepPause = step
	}
	if !b.queuePauseGiven {
		b.queuePause = b.stepPause
	}
	if !b.authPauseGiven {
		b.authPause = 5 * b.stepPause
	}
	b.parallel = max(b.parallel, 1)
}

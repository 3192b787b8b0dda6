package telemetry

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"runs-mcp-server/internal/server"
	"runs-mcp-server/transport"
)

// Sources are where the numbers are read when metrics are collected. Those that are nil
// are left out.
type Sources struct {
	Server        func() server.Stats
	Transport     *transport.Counts
	LostLogLines  func() int
	AuditFailures func() int64
}

// instruments are the metrics that are read from the rooms.
type instruments struct {
	build                                                   metric.Int64ObservableGauge
	requests, reconnects, gaps, coalesced                   metric.Int64ObservableCounter
	asked, outcomes, decisions, lostLogLines, auditFailures metric.Int64ObservableCounter
	openStreams, watched, sessions                          metric.Int64ObservableUpDownCounter
}

// Observe has the numbers of the sources collected from now on.
func (t *Telemetry) Observe(from Sources) error {
	meter := t.meters.Meter(scope)
	var all []metric.Observable
	var failed error
	counter := func(name, unit, what string) metric.Int64ObservableCounter {
		i, err := meter.Int64ObservableCounter("runs_mcp."+name, metric.WithUnit(unit), metric.WithDescription(what))
		all, failed = append(all, i), errors.Join(failed, err)
		return i
	}
	gauge := func(name, unit, what string) metric.Int64ObservableUpDownCounter {
		i, err := meter.Int64ObservableUpDownCounter("runs_mcp."+name, metric.WithUnit(unit), metric.WithDescription(what))
		all, failed = append(all, i), errors.Join(failed, err)
		return i
	}
	build, err := meter.Int64ObservableGauge("runs_mcp.build.info", metric.WithDescription("Always 1. The labels say which build this is."))
	all, failed = append(all, build), errors.Join(failed, err)
	i := instruments{
		build:         build,
		requests:      counter("upstream.requests", "{request}", "Requests that were sent to the Run API, every try and stream, by operation and status."),
		openStreams:   gauge("upstream.streams", "{stream}", "Event streams of the Run API that are open."),
		reconnects:    counter("upstream.reconnects", "{reconnect}", "Event streams that were opened again."),
		watched:       gauge("runs.watched", "{run}", "Runs that are watched."),
		gaps:          counter("events.gaps", "{gap}", "Places at which the events of a run lack some, or begin their ids anew."),
		coalesced:     counter("updates.coalesced", "{update}", "Changes of resources that were sent together with a later one."),
		asked:         counter("questions.asked", "{question}", "Questions that were handed to a client for its person, by kind."),
		outcomes:      counter("questions", "{question}", "What came of questions, by kind and outcome."),
		decisions:     counter("decisions", "{decision}", "Decisions that were sent to the Run API, by channel, decision and outcome."),
		sessions:      gauge("sessions", "{session}", "Stateful sessions over HTTP."),
		lostLogLines:  counter("log.lines.dropped", "{line}", "Lines of the log that were dropped, because they were not taken in time."),
		auditFailures: counter("audit.failures", "{failure}", "Writes to the audit log that failed."),
	}
	if failed != nil {
		return failed
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		i.observe(o, t.options, from)
		return nil
	}, all...)
	return err
}

// observe reads the sources.
func (i instruments) observe(o metric.Observer, build Options, from Sources) {
	o.ObserveInt64(i.build, 1, labels("version", build.Version, "commit", build.Commit, "go_version", runtime.Version()))
	if from.LostLogLines != nil {
		o.ObserveInt64(i.lostLogLines, int64(from.LostLogLines()))
	}
	if from.AuditFailures != nil {
		o.ObserveInt64(i.auditFailures, from.AuditFailures())
	}
	if from.Transport != nil {
		o.ObserveInt64(i.sessions, from.Transport.Sessions.Load())
		o.ObserveInt64(i.coalesced, from.Transport.Coalesced.Load())
	}
	if from.Server != nil {
		i.observeServer(o, from.Server())
	}
}

func (i instruments) observeServer(o metric.Observer, s server.Stats) {
	for of, n := range s.API.Requests {
		o.ObserveInt64(i.requests, n, labels("operation", of.Operation, "status", of.Status))
	}
	o.ObserveInt64(i.openStreams, s.API.OpenStreams)
	o.ObserveInt64(i.reconnects, s.API.Reconnects)
	o.ObserveInt64(i.watched, int64(s.Feeds.Watched))
	o.ObserveInt64(i.gaps, s.Feeds.Gaps)
	for kind, n := range s.Questions.Asked {
		o.ObserveInt64(i.asked, n, labels("kind", string(kind)))
	}
	for of, n := range s.Questions.Outcomes {
		o.ObserveInt64(i.outcomes, n, labels("kind", string(of.Kind), "outcome", string(of.Status)))
	}
	for of, n := range s.Decisions {
		o.ObserveInt64(i.decisions, n, labels("channel", string(of.Channel), "decision", string(of.Decision), "outcome", of.Outcome))
	}
}

// labels returns attributes of names and their values.
func labels(pairs ...string) metric.MeasurementOption {
	var attributes []attribute.KeyValue
	for pair := range slices.Chunk(pairs, 2) {
		attributes = append(attributes, attribute.String(pair[0], pair[1]))
	}
	return metric.WithAttributes(attributes...)
}

package cli

import (
	"log/slog"

	"runs-mcp-server/internal/appendfile"
	"runs-mcp-server/internal/logqueue"
	"runs-mcp-server/internal/redact"
	"runs-mcp-server/internal/view"
	"runs-mcp-server/tools"
)

// logFlags say what is logged, where and how.
type logFlags struct {
	LogLevel  string `enum:"debug,info,warn,error" default:"info" group:"Operation" placeholder:"LEVEL" help:"Least level of the log: debug, info, warn or error" doc:"the least level of the log: 'debug', 'info', 'warn', 'error'"`
	LogFile   string `group:"Operation" placeholder:"FILE" help:"Append the log to a file instead of standard error" unset:"standard error" doc:"append the log to this file instead"`
	LogFormat string `enum:"text,json" default:"text" group:"Operation" placeholder:"FORMAT" help:"Log as text or json" doc:"log as 'text' or 'json'"`
}

// callLogFlags say whether each call is logged.
type callLogFlags struct {
	LogCalls *bool `negatable:"" group:"Operation" help:"Log each call, or only those that fail" unset:"'http': on; 'stdio': only with '--log-file'" doc:"one line for each call that succeeded; those that fail are always logged"`
}

// addLogs sets what the tools log and record. logCalls is the default of --log-calls.
// The caller calls closeAudit at the end.
func (f *serverFlags) addLogs(o *tools.Options, log *slog.Logger, logCalls bool) (closeAudit func(), err error) {
	o.LogCalls = logCalls
	if f.LogCalls != nil {
		o.LogCalls = *f.LogCalls
	}
	o.Audit, o.NameCaller, closeAudit, err = f.openAudit(log)
	return closeAudit, err
}

// newLogger returns the log of the process, which hides the operator's secrets. It
// becomes slog's default, because net/http and mcp-go log there.
func (f *logFlags) newLogger(secrets *redact.Set, p *process) (*slog.Logger, error) {
	if f.LogFile != "" {
		if err := p.logToFile(f.LogFile); err != nil {
			return nil, err
		}
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		panic(err) // kong checked it
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(p.log, options)
	if f.LogFormat == "json" {
		p.log.UseJSON()
		handler = slog.NewJSONHandler(p.log, options)
	}
	log := slog.New(view.LogHandler(secrets, handler))
	slog.SetDefault(log)
	return log, nil
}

// newQuietLogger returns the log of a command for a person. They see what the command
// prints, so that the log has only errors unless they ask for more, or for a file. It
// warns them of a key file that others can read.
func (f *logFlags) newQuietLogger(secrets *redact.Set, p *process, api *apiFlags) (*slog.Logger, error) {
	log, err := f.newLogger(secrets, p)
	if err != nil {
		return nil, err
	}
	api.warnOfKeyFile(p.env, log)
	if f.LogLevel != "info" || f.LogFile != "" {
		return log, nil
	}
	quiet := *f
	quiet.LogLevel = "error"
	return quiet.newLogger(secrets, p)
}

// logToFile has the log go to a file, through a queue of its own.
func (p *process) logToFile(path string) error {
	file, err := appendfile.Open(path)
	if err != nil {
		return usageErrorf("--log-file: %w", err)
	}
	p.log = logqueue.New(file)
	stop := p.closeLog
	p.closeLog = func() {
		p.log.Close(flushTimeout)
		_ = file.Close() // a line that is not written by now is lost
		stop()
	}
	return nil
}

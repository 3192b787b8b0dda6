package cli

import (
	"errors"
	"log/slog"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/audit"
)

// auditFlags say where effects are recorded, and what happens if they cannot be.
type auditFlags struct {
	AuditLog     auditPath `group:"Operation" placeholder:"FILE" help:"Record creates, aborts and decisions in a file" doc:"[record](docs/observability.md#audit-log) each create, abort and decision in this file; 'approve', 'call' and 'runs' have this flag, too"`
	AuditFailure string    `enum:"refuse,log" default:"refuse" group:"Operation" placeholder:"WHAT" help:"If that fails: refuse them (default) or log" doc:"if the audit log cannot be written: 'refuse' these before they are sent, or only 'log' it"`
}

// auditPath is the name of the audit log. An empty one, as of a variable that is not set,
// is refused: nothing would be recorded, and nobody would notice.
type auditPath string

// UnmarshalText takes any name but an empty one.
func (a *auditPath) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("it names no file")
	}
	*a = auditPath(text)
	return nil
}

// openAudit opens the audit log, if there is to be one. nameCaller names callers in both
// logs alike. The caller calls closeAudit at the end.
func (f *auditFlags) openAudit(log *slog.Logger) (recorded *audit.Log, nameCaller func(client.Key) string, closeAudit func(), err error) {
	if f.AuditLog == "" {
		return nil, audit.NewHasher().Caller, func() {}, nil
	}
	path := string(f.AuditLog)
	recorded, err = audit.Open(audit.Options{Path: path, Refuse: f.AuditFailure == "refuse", Log: log})
	if err != nil {
		return nil, nil, nil, usageErrorf("--audit-log: %w", err)
	}
	for _, name := range []string{path, path + audit.KeyFileSuffix} {
		if readableByOthers(name) {
			log.Warn("a file of the audit log is readable by others", "file", name)
		}
	}
	return recorded, recorded.Caller, recorded.Close, nil
}

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// report has the verdicts of the cases, in their order.
type report struct {
	model    string
	cases    []evalCase
	verdicts []verdict
}

func (r *report) addCase(c evalCase, v verdict) {
	r.cases = append(r.cases, c)
	r.verdicts = append(r.verdicts, v)
}

// score counts cases.
type score struct{ cases, tool, right int }

func (s *score) count(v verdict) {
	s.cases++
	if v.tool {
		s.tool++
	}
	if v.arguments {
		s.right++
	}
}

func (s score) String() string {
	return fmt.Sprintf("%d of %d right (%.0f %%), the right tool in %d (%.0f %%)",
		s.right, s.cases, s.rate(), s.tool, 100*float64(s.tool)/float64(s.cases))
}

// rate returns the per cent of right cases.
func (s score) rate() float64 { return 100 * float64(s.right) / float64(s.cases) }

func (r *report) total() (all score) {
	for _, v := range r.verdicts {
		all.count(v)
	}
	return all
}

func (r *report) rate() float64 { return r.total().rate() }

// write prints a line for each case, then one for each group, then the total.
func (r *report) write(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	groups, order := map[string]*score{}, []string{}
	fmt.Fprintln(table, "case\ttool\targuments\tthe model did")
	for i, c := range r.cases {
		v := r.verdicts[i]
		fmt.Fprintf(table, "%s: %s\t%s\t%s\t%s\n", c.Group, c.Name, okOrWrong(v.tool), okOrWrong(v.arguments), v.did)
		if v.why != "" {
			fmt.Fprintf(table, "\t\t\t%s\n", v.why)
		}
		if groups[c.Group] == nil {
			groups[c.Group] = &score{}
			order = append(order, c.Group)
		}
		groups[c.Group].count(v)
	}
	table.Flush()
	fmt.Fprintln(w)
	for _, name := range order {
		fmt.Fprintf(table, "%s\t%s\n", name, groups[name])
	}
	table.Flush()
	fmt.Fprintf(w, "evals: %s; model %s\n", r.total(), r.model)
}

func okOrWrong(right bool) string {
	if right {
		return "ok"
	}
	return "WRONG"
}

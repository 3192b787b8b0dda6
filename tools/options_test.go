package tools

import "testing"

// TestOffers holds which tools the operator's options leave.
func TestOffers(t *testing.T) {
	for _, tt := range []struct {
		o    Options
		tool string
		want bool
	}{
		{Options{}, "create_run", true}, {Options{}, "approve", true},
		{Options{ReadOnly: true}, "create_run", false}, {Options{ReadOnly: true}, "abort_run", false}, {Options{ReadOnly: true}, "approve", false},
		{Options{ReadOnly: true}, "get_run", true}, {Options{ReadOnly: true}, "list_runs", true},
		{Options{Approvals: ApprovalsOff}, "approve", false}, {Options{Approvals: ApprovalsOff}, "create_run", true},
		{Options{Approvals: ApprovalsAgent}, "approve", true},
		{Options{Tools: []string{"get_run"}}, "get_run", true}, {Options{Tools: []string{"get_run"}}, "list_runs", false},
		{Options{ExcludeTools: []string{"get_run"}}, "get_run", false}, {Options{ExcludeTools: []string{"get_run"}}, "list_runs", true},
		{Options{Tools: []string{"get_run"}, ExcludeTools: []string{"get_run"}}, "get_run", false},
	} {
		if got := tt.o.Offers(tt.tool); got != tt.want {
			t.Errorf("%+v offers %s: %t, want %t", tt.o, tt.tool, got, tt.want)
		}
	}
}

package sandbox

import "net/http"

func (s *Sandbox) listIntegrations(w http.ResponseWriter, r *http.Request, _ int) *problem {
	active := r.URL.Query().Get("active")
	if active != "" && active != "true" && active != "false" {
		return invalid("active must be a boolean value")
	}
	shown := []integration{}
	for _, i := range integrations() {
		if active == "" || i.Active == (active == "true") {
			shown = append(shown, i)
		}
	}
	writeJSON(w, http.StatusOK, shown)
	return nil
}

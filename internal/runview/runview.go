// Package runview holds the live view of a run, a page that a host of MCP Apps shows
// beside a tool's result. Its parts are files that can be read and changed as they are:
//
//	run.html    the frame of the page
//	run.css     how it looks, in light and dark
//	link.js     messages to and from the host
//	text.js     times, statuses and other words
//	state.js    what is known of the run
//	render.js   status, plan, what waits, and result
//	timeline.js the events, a window of them at a time
//	host.js     what the host tells of itself, notices and announcements
//	main.js     follows the run; the one file that starts anything
package runview

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"strings"
)

// URI is the address of the page.
const URI = "ui://runs/run.html"

var (
	//go:embed run.html
	frame string
	//go:embed run.css
	style string
	//go:embed link.js
	linkScript string
	//go:embed text.js
	textScript string
	//go:embed state.js
	stateScript string
	//go:embed render.js
	renderScript string
	//go:embed timeline.js
	timelineScript string
	//go:embed host.js
	hostScript string
	//go:embed main.js
	mainScript string
)

// Page returns the page: one HTML document that loads nothing. Its policy allows this
// style and this script alone, by their digests.
func Page() string {
	script := "'use strict';\n" + linkScript + textScript + stateScript + renderScript + timelineScript + hostScript + mainScript
	return strings.NewReplacer(
		"/*STYLE*/", style, "STYLE-DIGEST", digest(style),
		"/*SCRIPT*/", script, "SCRIPT-DIGEST", digest(script),
	).Replace(frame)
}

// digest returns the digest of an inline style or script as a policy names it.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

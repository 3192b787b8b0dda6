package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

const (
	helpColumn = 29 // where the help of a flag begins
	helpWidth  = 80 // columns of a screen
	helpLines  = 24 // lines of a screen
)

// printHelp prints the help of the program or of a command. It fits a screen: of
// the last groups of flags, which do not fit, it prints the names alone.
func printHelp(_ kong.HelpOptions, ctx *kong.Context) error {
	node := ctx.Selected()
	if node == nil {
		_, err := io.WriteString(ctx.Stdout, programHelp(ctx.Model.Node))
		return err
	}
	head := []string{"Usage: " + Name + " " + usageOf(node), node.Help, ""}
	for _, p := range node.Positional {
		head = append(head, helpLine(p.Summary(), p.Help))
	}
	if len(node.Children) > 0 {
		head = append(head, "Commands:")
	}
	for _, c := range node.Children {
		head = append(head, fmt.Sprintf("  %-10s %s", c.Name, c.Help))
	}
	groups := flagGroups(node)
	lines := flagLines(node, groups, len(groups))
	for n := len(groups) - 1; n > 0 && len(head)+len(lines) > helpLines; n-- {
		lines = flagLines(node, groups, n)
	}
	_, err := io.WriteString(ctx.Stdout, strings.Join(append(head, lines...), "\n")+"\n")
	return err
}

// flagLines returns the help of the first n groups of flags, and the names of the
// other flags.
func flagLines(node *kong.Node, groups []flagGroup, n int) (lines []string) {
	for _, g := range groups[:n] {
		lines = append(append(lines, g.title+":"), g.lines...)
	}
	if n < len(groups) {
		lines = append(lines, namedFlags(node, groups[n:])...)
	}
	return lines
}

// programHelp returns the help of the program: its commands.
func programHelp(app *kong.Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s [command] [flags]\n\n", Name)
	fmt.Fprintln(&b, "Lets an AI agent start, watch, steer and stop runs of the toolregistry.ai Run\nAPI.\n\nCommands:")
	for _, c := range app.Children {
		if c.Hidden {
			continue
		}
		fmt.Fprintf(&b, "  %-10s %s\n", c.Name, c.Help)
	}
	fmt.Fprintf(&b, "\nTo see it work, without an account: %[1]s demo\nThe flags of the server:            %[1]s stdio --help\n", programCommand())
	return b.String()
}

// usageOf returns a command with its arguments.
func usageOf(node *kong.Node) string {
	usage := node.Name
	if node.Parent != nil && node.Parent.Type == kong.CommandNode {
		usage = node.Parent.Name + " " + usage
	}
	if len(node.Children) > 0 {
		usage += " <command>"
	}
	for _, p := range node.Positional {
		usage += " " + p.Summary()
	}
	if len(flagGroups(node)) > 0 {
		usage += " [flags]"
	}
	return usage
}

// flagGroup is a group of flags, with the lines of help about them.
type flagGroup struct {
	title string
	names []string
	lines []string
}

// flagGroups returns a command's flags by their group tag, in order. Neighbours
// with the same help share a line.
func flagGroups(node *kong.Node) []flagGroup {
	var groups []flagGroup
	left, help := "", ""
	for _, f := range node.Flags {
		if f.Hidden {
			continue
		}
		title := "Flags"
		if f.Group != nil {
			title = f.Group.Title
		}
		if len(groups) == 0 || groups[len(groups)-1].title != title {
			groups = append(groups, flagGroup{title: title})
			help = ""
		}
		g := &groups[len(groups)-1]
		g.names = append(g.names, "--"+f.Name)
		if f.Help == help {
			left += ", " + flagUsage(f)
			g.lines = g.lines[:len(g.lines)-1]
		} else {
			left, help = flagUsage(f), f.Help
		}
		g.lines = append(g.lines, helpLine(left, help))
	}
	return groups
}

// flagUsage returns a flag and its value as a person types them.
func flagUsage(f *kong.Flag) string {
	switch {
	case f.Tag.Negatable != "":
		return "--[no-]" + f.Name
	case f.IsBool():
		return "--" + f.Name
	case f.IsSlice():
		return "--" + f.Name + " " + f.PlaceHolder + ",..."
	default:
		return "--" + f.Name + " " + f.PlaceHolder
	}
}

// helpLine returns a line of two columns.
func helpLine(left, help string) string {
	return strings.TrimRight(fmt.Sprintf("  %-*s  %s", helpColumn-4, left, help), " ")
}

// namedFlags returns lines that name the flags of groups, and where their help is.
func namedFlags(node *kong.Node, groups []flagGroup) []string {
	lines := []string{"Flags of the server, explained by " + programCommand() + " stdio --help:"}
	if node.Name == "stdio" {
		lines[0] = "Flags of operation, explained in the README:"
	}
	line := " "
	for _, g := range groups {
		for _, flag := range g.names {
			if len(line)+1+len(flag) > helpWidth {
				lines, line = append(lines, line), " "
			}
			line += " " + flag
		}
	}
	return append(lines, line)
}

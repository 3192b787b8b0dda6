package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
)

// Roles: the first argument of a process that the measuring process starts.
const (
	serveRole  = "serve"
	attackRole = "attack"
)

// runRole runs the role that the arguments name. It reports false if they name none.
func runRole(args []string) (ran bool, err error) {
	if len(args) == 0 {
		return false, nil
	}
	role := map[string]func(args []string, in io.Reader, out io.Writer) error{serveRole: serve, attackRole: attack}[args[0]]
	if role == nil {
		return false, nil
	}
	signal.Ignore(os.Interrupt) // the process ends when its input does
	return true, role(args[1:], os.Stdin, os.Stdout)
}

// child is a process in a role. It reads commands and answers each with a line.
type child struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
}

// startChild starts this program again, in a role.
func startChild(args ...string) (child, error) {
	self, err := os.Executable()
	if err != nil {
		return child{}, err
	}
	return startProcess(exec.Command(self, args...))
}

// startPoliteChild is startChild with the lowest priority, where the system has nice(1):
// the process gets the processor time that the others leave.
func startPoliteChild(args ...string) (child, error) {
	self, err := os.Executable()
	if err != nil {
		return child{}, err
	}
	command := append([]string{self}, args...)
	if nice, err := exec.LookPath("nice"); err == nil {
		command = append([]string{nice, "-n", "19"}, command...)
	}
	return startProcess(exec.Command(command[0], command[1:]...))
}

func startProcess(cmd *exec.Cmd) (child, error) {
	c := child{cmd: cmd}
	c.cmd.Stderr = os.Stderr
	output, err := c.cmd.StdoutPipe()
	if err != nil {
		return child{}, err
	}
	c.output = bufio.NewReader(output)
	if c.input, err = c.cmd.StdinPipe(); err != nil {
		return child{}, err
	}
	return c, c.cmd.Start()
}

// sendCommand sends a command and returns the line of its answer.
func (c *child) sendCommand(command string) ([]byte, error) {
	if _, err := io.WriteString(c.input, command+"\n"); err != nil {
		return nil, fmt.Errorf("a process ended: %w", err)
	}
	return c.readLine()
}

// readLine returns the next line of the output.
func (c *child) readLine() ([]byte, error) {
	line, err := c.output.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("a process ended: %w", err)
	}
	return line[:len(line)-1], nil
}

// kill ends the process, if it still runs.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

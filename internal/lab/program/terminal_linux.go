package program

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a terminal with a program in it, and a person before it.
type Terminal struct {
	t        *testing.T
	keyboard *os.File // the other end of the terminal
	Command  *exec.Cmd
	ended    chan struct{}

	mu      sync.Mutex // guards all below
	screen  strings.Builder
	printed chan struct{} // closed when something was printed
}

// StartInTerminal starts a command in a terminal of its own.
func StartInTerminal(t *testing.T, columns, lines uint16, command *exec.Cmd) *Terminal {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("there are no terminals here: ", err)
	}
	term := &Terminal{t: t, keyboard: keyboard, Command: command, ended: make(chan struct{}), printed: make(chan struct{})}
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	term.Resize(columns, lines)
	line, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	command.Stdin, command.Stdout, command.Stderr = line, line, line
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line.Close()
	go term.read()
	t.Cleanup(func() {
		command.Process.Kill() // if it has not ended
		<-term.ended
		keyboard.Close()
	})
	return term
}

// read reads what the program prints, until its terminal is closed.
func (term *Terminal) read() {
	defer close(term.ended)
	buffer := make([]byte, 4096)
	for {
		n, err := term.keyboard.Read(buffer)
		term.mu.Lock()
		term.screen.Write(buffer[:n])
		close(term.printed)
		term.printed = make(chan struct{})
		term.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Resize changes the size of the terminal.
func (term *Terminal) Resize(columns, lines uint16) {
	term.t.Helper()
	if err := unix.IoctlSetWinsize(int(term.keyboard.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: lines}); err != nil {
		term.t.Fatal(err)
	}
}

// Printed returns all that was printed, control sequences too.
func (term *Terminal) Printed() string {
	text, _ := term.look()
	return text
}

// look returns all that was printed, and a channel that is closed when more was.
func (term *Terminal) look() (text string, more <-chan struct{}) {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.screen.String(), term.printed
}

// Await waits until the program has printed a text after the first skip bytes. It returns
// how much was printed up to its end.
func (term *Terminal) Await(skip int, text string) int {
	term.t.Helper()
	timeout := time.After(ExitTimeout / 2)
	for {
		printed, more := term.look()
		if at := strings.Index(printed[min(skip, len(printed)):], text); at >= 0 {
			return skip + at + len(text)
		}
		select {
		case <-more:
		case <-timeout:
			term.t.Fatalf("%q was not printed in time:\n%q", text, printed)
		}
	}
}

// Type types a text.
func (term *Terminal) Type(text string) {
	term.t.Helper()
	if _, err := term.keyboard.WriteString(text); err != nil {
		term.t.Fatal(err)
	}
}

// WaitExit waits until the program has ended, and returns its exit code.
func (term *Terminal) WaitExit() int {
	term.t.Helper()
	code := WaitExit(term.t, term.Command)
	<-term.ended
	return code
}

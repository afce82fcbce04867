//go:build unix

package main

import "golang.org/x/sys/unix"

// canPoll reports whether typedLine works on the terminal: poll(2) of macOS refuses /dev/tty.
func canPoll(fd int) bool {
	_, err := polled(fd)
	return err == nil
}

// typedLine reports whether a line has been typed at the terminal, and takes it. What is
// typed for another program, while the command waits in the background, is not its own.
func typedLine(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil || group != unix.Getpgrp() {
		return false
	}
	if ready, err := polled(fd); err != nil || !ready {
		return false
	}
	n, err := unix.Read(fd, make([]byte, 4096)) // a terminal gives one line at most
	return err == nil && n > 0
}

func polled(fd int) (ready bool, err error) {
	state := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(state, 0); err != nil && err != unix.EINTR {
		return false, err
	}
	if state[0].Revents&(unix.POLLNVAL|unix.POLLERR|unix.POLLHUP) != 0 {
		return false, unix.ENOTTY
	}
	return state[0].Revents&unix.POLLIN != 0, nil
}

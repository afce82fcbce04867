package main

func canPoll(int) bool { return false }

func typedLine(int) bool { return false }

package main

const canPoll = false

func typedLine(int) bool { return false }

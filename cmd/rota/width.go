package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// width returns how many characters a line of w has room for: what COLUMNS says, or
// the terminal that w is; 0 if w is none, and lines may be as long as they are.
func width(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

// widest returns the length of the longest line.
func widest(text string) int {
	n := 0
	for line := range strings.Lines(text) {
		n = max(n, utf8.RuneCountInString(strings.TrimRight(line, "\n")))
	}
	return n
}

// longestWord returns the length of the longest word in lines.
func longestWord(lines []string) int {
	n := 0
	for _, line := range lines {
		for _, word := range strings.Fields(line) {
			n = max(n, utf8.RuneCountInString(word))
		}
	}
	return n
}

// fold breaks a line between words, and words that are longer than the width. Without
// a width, the line stays as it is.
func fold(line string, width int) []string {
	if width <= 0 {
		return []string{line}
	}
	var lines []string
	for len(line) > 0 {
		runes := []rune(line)
		if len(runes) <= width {
			return append(lines, line)
		}
		head := string(runes[:width+1])
		cut := strings.LastIndexByte(head, ' ')
		if cut <= 0 {
			cut = len(string(runes[:width]))
		}
		lines = append(lines, strings.TrimRight(line[:cut], " "))
		line = strings.TrimLeft(line[cut:], " ")
	}
	return lines
}

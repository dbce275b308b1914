// SPDX-License-Identifier: BSD-2-Clause

// Command go-scenarios runs one franz-go scenario by its name.
package main

import (
	"fmt"
	"os"
)

// scenarios is filled by the init function of each file.
var scenarios = map[string]func(){}

func main() {
	if len(os.Args) != 2 || scenarios[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: go-scenarios NAME")
		os.Exit(2)
	}
	scenarios[os.Args[1]]()
	if len(complaints) > 0 {
		check(allowComplaints, "the client complained: %q", complaints)
	}
}

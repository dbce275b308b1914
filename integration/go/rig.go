// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const wait = 30 * time.Second

var (
	complaints      []string
	complaintsLock  sync.Mutex
	allowComplaints bool
)

// keeper is a logger that keeps warnings and errors.
type keeper struct{}

func (keeper) Level() kgo.LogLevel { return kgo.LogLevelWarn }

func (keeper) Log(level kgo.LogLevel, message string, details ...any) {
	complaintsLock.Lock()
	defer complaintsLock.Unlock()
	complaints = append(complaints, fmt.Sprint(level, " ", message, " ", details))
}

func check(good bool, format string, details ...any) {
	if !good {
		fmt.Fprintf(os.Stderr, format+"\n", details...)
		os.Exit(1)
	}
}

func must(err error) {
	check(err == nil, "%v", err)
}

func name(suffix string) string {
	return os.Getenv("PREFIX") + suffix
}

func within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	time.AfterFunc(wait, cancel)
	return ctx
}

func client(options ...kgo.Opt) *kgo.Client {
	all := append([]kgo.Opt{kgo.SeedBrokers(os.Getenv("BOOTSTRAP")), kgo.WithLogger(keeper{})}, options...)
	c, err := kgo.NewClient(all...)
	must(err)
	return c
}

func admin() *kadm.Client {
	return kadm.NewClient(client())
}

func createTopic(suffix string, partitions int32) string {
	topic := name(suffix)
	a := admin()
	defer a.Close()
	_, err := a.CreateTopic(within(), partitions, 1, nil, topic)
	must(err)
	until("the topic", func() bool {
		topics, err := a.ListTopics(within(), topic)
		return err == nil && topics.Has(topic) && topics[topic].Err == nil
	})
	return topic
}

func until(what string, condition func() bool) {
	for deadline := time.Now().Add(wait); !condition(); time.Sleep(10 * time.Millisecond) {
		check(time.Now().Before(deadline), "waited for: %s", what)
	}
}

// read polls until count records have come.
func read(c *kgo.Client, count int) []*kgo.Record {
	var records []*kgo.Record
	for ctx := within(); len(records) < count; {
		fetches := c.PollFetches(ctx)
		must(fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}

func control(word string) {
	conn, err := net.Dial("tcp", os.Getenv("CONTROL"))
	must(err)
	defer conn.Close()
	fmt.Fprintln(conn, word)
	answer, _ := bufio.NewReader(conn).ReadString('\n')
	check(strings.TrimSpace(answer) == "ok", "control %s: %s", word, answer)
}

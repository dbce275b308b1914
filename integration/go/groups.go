// SPDX-License-Identifier: BSD-2-Clause
// suite: threads=yes

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { scenarios["groups"] = groups }

// member reads in the background and knows its partitions.
type member struct {
	*kgo.Client
	lock       sync.Mutex
	partitions map[int32]bool
}

// Three members (cooperative-sticky) of a group over six partitions come and go; each record arrives; each partition
// has one owner.
func groups() {
	topic := createTopic("groups", 6)
	var lock sync.Mutex
	seen := map[string]int{}
	join := func() *member {
		m := &member{partitions: map[int32]bool{}}
		change := func(owned bool) func(context.Context, *kgo.Client, map[string][]int32) {
			return func(_ context.Context, _ *kgo.Client, moved map[string][]int32) {
				m.lock.Lock()
				defer m.lock.Unlock()
				for _, partition := range moved[topic] {
					if owned {
						m.partitions[partition] = true
					} else {
						delete(m.partitions, partition)
					}
				}
			}
		}
		m.Client = client(kgo.ConsumerGroup(name("group")), kgo.ConsumeTopics(topic),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(300*time.Millisecond),
			kgo.OnPartitionsAssigned(change(true)), kgo.OnPartitionsRevoked(change(false)),
			kgo.OnPartitionsLost(change(false)), kgo.AutoCommitInterval(200*time.Millisecond))
		go func() {
			for {
				fetches := m.PollFetches(context.Background())
				if fetches.IsClientClosed() {
					return
				}
				lock.Lock()
				fetches.EachRecord(func(record *kgo.Record) { seen[string(record.Value)]++ })
				lock.Unlock()
			}
		}()
		return m
	}
	share := func(each int, members ...*member) {
		until(fmt.Sprintf("%d partitions each", each), func() bool {
			owned := map[int32]bool{}
			for _, m := range members {
				m.lock.Lock()
				size := len(m.partitions)
				for partition := range m.partitions {
					owned[partition] = true
				}
				m.lock.Unlock()
				if size != each {
					return false
				}
			}
			return len(owned) == 6
		})
	}
	producer := client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	sent := 0
	send := func() {
		for i := 0; i < 60; i++ {
			record := &kgo.Record{Topic: topic, Partition: int32(i % 6), Value: fmt.Append(nil, sent)}
			must(producer.ProduceSync(within(), record).FirstErr())
			sent++
		}
		until("all records", func() bool {
			lock.Lock()
			defer lock.Unlock()
			return len(seen) == sent
		})
	}

	first := join()
	share(6, first)
	send()
	second := join()
	share(3, first, second)
	third := join()
	share(2, first, second, third)
	send()
	second.Close()
	share(3, first, third)
	send()
	third.Close()
	share(6, first)
	a := admin()
	defer a.Close()
	described := func() kadm.DescribedGroupLag {
		lags, err := a.Lag(within(), name("group"))
		must(err)
		return lags[name("group")]
	}
	until("the commit of all", func() bool { return described().Lag.Total() == 0 })
	check(described().State == "Stable", "state %s", described().State)
	first.Close()
	producer.Close()
	check(described().State == "Empty", "state %s", described().State)
}

// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 threads=yes

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { scenarios["churn"] = churn }

// Members join and leave a group at random, several at a time, so that rebalances overlap, while records keep coming.
// In the end each record has reached the group.
func churn() {
	topic := createTopic("churn", 8)
	var lock sync.Mutex
	seen := map[string]bool{}
	live := func(ctx context.Context) {
		m := client(kgo.ConsumerGroup(name("group")), kgo.ConsumeTopics(topic), kgo.AutoCommitMarks(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(100*time.Millisecond),
			kgo.SessionTimeout(6*time.Second), kgo.BlockRebalanceOnPoll())
		defer m.Close()
		for ctx.Err() == nil {
			fetches := m.PollFetches(ctx)
			lock.Lock()
			fetches.EachRecord(func(record *kgo.Record) { seen[string(record.Value)] = true })
			lock.Unlock()
			m.MarkCommitRecords(fetches.Records()...)
			m.AllowRebalance()
		}
		_ = m.CommitMarkedOffsets(context.Background())
	}

	stop, cancel := context.WithTimeout(context.Background(), 6*time.Second)
	defer cancel()
	var members sync.WaitGroup
	for i := 0; i < 6; i++ {
		members.Go(func() {
			for stop.Err() == nil {
				life, end := context.WithTimeout(stop, time.Duration(100+rand.IntN(1500))*time.Millisecond)
				live(life)
				end()
			}
		})
	}
	producer := client()
	sent := 0
	for ; stop.Err() == nil; sent++ {
		must(producer.ProduceSync(within(), &kgo.Record{Topic: topic, Value: fmt.Append(nil, sent)}).FirstErr())
	}
	producer.Close()
	members.Wait()

	last, end := context.WithCancel(context.Background())
	members.Go(func() { live(last) })
	until("each of the records", func() bool {
		lock.Lock()
		defer lock.Unlock()
		return len(seen) == sent
	})
	end()
	members.Wait()
	fmt.Println(sent, "records")
	check(sent > 200, "only %d records: too tame", sent)
}

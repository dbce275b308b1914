// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { scenarios["sessions"] = sessions }

const fetchKey = 1

// fetchSizes notes how large each Fetch is on the wire, there and back.
type fetchSizes struct {
	lock    sync.Mutex
	out, in []int
}

func (s *fetchSizes) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if key == fetchKey && e2e.Err() == nil {
		s.lock.Lock()
		defer s.lock.Unlock()
		s.out = append(s.out, e2e.BytesWritten)
		s.in = append(s.in, e2e.BytesRead)
	}
}

func (s *fetchSizes) count() int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return len(s.out)
}

// Fetch sessions: the first fetch names all partitions, those that follow name what changed and are told what changed.
func sessions() {
	const partitions = 200
	topic := createTopic("sessions", partitions)
	producer := client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer producer.Close()
	for i := int32(0); i < partitions; i++ {
		must(producer.ProduceSync(within(), &kgo.Record{Topic: topic, Partition: i, Value: []byte("first")}).FirstErr())
	}
	sizes := &fetchSizes{}
	consumer := client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.WithHooks(sizes),
		kgo.FetchMaxWait(100*time.Millisecond))
	defer consumer.Close()
	seen := map[int32]bool{}
	for _, record := range read(consumer, partitions) {
		seen[record.Partition] = true
	}
	check(len(seen) == partitions, "%d partitions read", len(seen))
	quiet := sizes.count()
	until("ten fetches", func() bool { return sizes.count() >= quiet+12 })
	sizes.lock.Lock()
	check(sizes.out[0] > 4000, "the first fetch had %d bytes", sizes.out[0])
	for i := quiet + 2; i < quiet+12; i++ {
		check(sizes.out[i] < 600 && sizes.in[i] < 600, "fetch %d had %d and %d bytes", i, sizes.out[i], sizes.in[i])
	}
	sizes.lock.Unlock()
	for i := int32(0); i < partitions; i += 7 {
		must(producer.ProduceSync(within(), &kgo.Record{Topic: topic, Partition: i, Value: []byte("second")}).FirstErr())
		check(read(consumer, 1)[0].Partition == i, "partition %d", i)
	}
}

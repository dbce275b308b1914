// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 threads=yes

package main

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { scenarios["bulk"] = bulk }

// Four producers write 200,000 records to twelve partitions as fast as they can, compressed and not; a reader gets each
// once, and those of a producer in order in each partition.
func bulk() {
	const producers, each, partitions = 4, 50000, 12
	topic := createTopic("bulk", partitions)
	started := time.Now()
	var all sync.WaitGroup
	for p := 0; p < producers; p++ {
		all.Go(func() {
			codec := kgo.NoCompression()
			if p%2 == 1 {
				codec = kgo.Lz4Compression()
			}
			producer := client(kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			defer producer.Close()
			for i := 0; i < each; i++ {
				value := make([]byte, 100+i%200)
				binary.BigEndian.PutUint32(value, uint32(p))
				binary.BigEndian.PutUint32(value[4:], uint32(i))
				record := &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: value}
				producer.Produce(within(), record, func(_ *kgo.Record, err error) { must(err) })
			}
			must(producer.Flush(within()))
		})
	}
	all.Wait()
	fmt.Println("written in", time.Since(started))

	started = time.Now()
	consumer := client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer consumer.Close()
	next := map[[2]int]int{}
	for _, record := range read(consumer, producers*each) {
		place := [2]int{int(binary.BigEndian.Uint32(record.Value)), int(record.Partition)}
		i := int(binary.BigEndian.Uint32(record.Value[4:]))
		expected, known := next[place]
		if !known {
			expected = place[1]
		}
		check(i == expected, "producer %d, partition %d: %d where %d was due", place[0], place[1], i, expected)
		next[place] = i + partitions
	}
	fmt.Println("read in", time.Since(started))
}

// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 warnings=yes

package main

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { scenarios["idempotent"] = idempotent }

// The default producer over a restart and a kill of the broker: each record once, in order.
func idempotent() {
	allowComplaints = true
	const count = 3000
	topic := createTopic("idempotent", 1)
	producer := client(kgo.MaxBufferedRecords(count), kgo.ProducerLinger(time.Millisecond))
	for i := 0; i < count; i++ {
		switch i {
		case count / 3:
			control("restart")
		case 2 * count / 3:
			control("kill")
			control("start")
		}
		producer.Produce(within(), &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}, func(_ *kgo.Record, err error) {
			must(err)
		})
		if i%10 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	must(producer.Flush(within()))
	producer.Close()
	consumer := client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer consumer.Close()
	got := read(consumer, count)
	check(len(got) == count, "%d records", len(got))
	for i, record := range got {
		check(string(record.Value) == fmt.Sprint(i), "%s where %d was due", record.Value, i)
	}
}

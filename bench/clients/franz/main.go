// SPDX-License-Identifier: BSD-2-Clause

// Command franz-throughput TOPIC RECORDS SIZE: how fast franz-go produces and reads. Prints one line of JSON, in MB of values per second.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	must(err)
	return value
}

func produce(ctx context.Context, topic string, records, size int) time.Duration {
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Getenv("BOOTSTRAP")), kgo.DefaultProduceTopic(topic),
		kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()))
	must(err)
	defer client.Close()
	value := bytes.Repeat([]byte("x"), size)
	begun := time.Now()
	for i := 0; i < records; i++ {
		client.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) { must(err) })
	}
	must(client.Flush(ctx))
	return time.Since(begun)
}

func consume(ctx context.Context, topic string, records int) time.Duration {
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Getenv("BOOTSTRAP")), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(err)
	defer client.Close()
	var begun time.Time
	for left := records; left > 0; {
		fetches := client.PollFetches(ctx)
		must(fetches.Err())
		if begun.IsZero() {
			begun = time.Now()
		}
		left -= fetches.NumRecords()
	}
	return time.Since(begun)
}

func main() {
	topic, records, size := os.Args[1], number(os.Args[2]), number(os.Args[3])
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	megabytes := float64(records) * float64(size) / 1e6
	produced := produce(ctx, topic, records, size)
	consumed := consume(ctx, topic, records)
	fmt.Printf("{\"produce\":%.3f,\"consume\":%.3f}\n", megabytes/produced.Seconds(), megabytes/consumed.Seconds())
}

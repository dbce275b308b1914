// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"crypto/rand"

	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { scenarios["records"] = records }

// The default (idempotent) producer with each codec: null and empty keys and values, headers, 900 KB; and a consumer
// that fetches by topic id with a session.
func records() {
	topic := createTopic("records", 1)
	large := make([]byte, 900*1024)
	_, _ = rand.Read(large)
	headers := []kgo.RecordHeader{{Key: "h", Value: []byte("1")}, {Key: "h", Value: nil}}
	cases := []kgo.Record{
		{Key: []byte("k"), Value: []byte("v"), Headers: headers},
		{Value: []byte("no key")}, {Key: []byte("no value")}, {},
		{Key: []byte{}, Value: []byte{}}, {Key: []byte("large"), Value: large},
	}
	codecs := []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	}
	var sent []*kgo.Record
	for _, codec := range codecs {
		producer := client(kgo.ProducerBatchCompression(codec), kgo.ProducerBatchMaxBytes(1000000))
		for _, record := range cases {
			record.Topic = topic
			result := producer.ProduceSync(within(), &record)
			must(result.FirstErr())
			check(result[0].Record.Offset == int64(len(sent)), "offset %d", result[0].Record.Offset)
			sent = append(sent, &record)
		}
		producer.Close()
	}

	consumer := client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer consumer.Close()
	for i, got := range read(consumer, len(sent)) {
		check(got.Offset == int64(i), "offset %d where %d was due", got.Offset, i)
		check((got.Key == nil) == (sent[i].Key == nil) && bytes.Equal(got.Key, sent[i].Key), "key of %d", i)
		check((got.Value == nil) == (sent[i].Value == nil) && bytes.Equal(got.Value, sent[i].Value), "value of %d", i)
		check(len(got.Headers) == len(sent[i].Headers), "headers of %d", i)
	}
}

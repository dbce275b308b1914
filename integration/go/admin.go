// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func init() { scenarios["admin"] = adminCalls }

// The kadm client: topics, partitions, configuration, offsets by kind and time, records, groups.
func adminCalls() {
	a := admin()
	defer a.Close()
	topic := createTopic("admin", 2)

	brokers, err := a.ListBrokers(within())
	must(err)
	check(len(brokers) == 1, "%d brokers", len(brokers))
	_, err = a.CreatePartitions(within(), 1, topic)
	must(err)
	until("three partitions", func() bool {
		topics, err := a.ListTopics(within(), topic)
		return err == nil && len(topics[topic].Partitions) == 3
	})

	value := "3600000"
	altered, err := a.AlterTopicConfigs(within(), []kadm.AlterConfig{{Name: "retention.ms", Value: &value}}, topic)
	must(err)
	must(altered[0].Err)
	until("the change", func() bool {
		configs, err := a.DescribeTopicConfigs(within(), topic)
		must(err)
		for _, entry := range configs[0].Configs {
			if entry.Key == "retention.ms" {
				return entry.MaybeValue() == value
			}
		}
		return false
	})

	producer := client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := 0; i < 10; i++ {
		must(producer.ProduceSync(within(), &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}).FirstErr())
	}
	producer.Close()
	ends, err := a.ListEndOffsets(within(), topic)
	must(err)
	end, _ := ends.Lookup(topic, 0)
	check(end.Offset == 10, "end %d", end.Offset)

	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 4, -1)
	deleted, err := a.DeleteRecords(within(), offsets)
	must(err)
	low, _ := deleted.Lookup(topic, 0)
	check(low.Err == nil && low.LowWatermark == 4, "low watermark %d %v", low.LowWatermark, low.Err)
	starts, err := a.ListStartOffsets(within(), topic)
	must(err)
	start, _ := starts.Lookup(topic, 0)
	check(start.Offset == 4, "start %d", start.Offset)

	commit := kadm.Offsets{}
	commit.AddOffset(topic, 0, 7, -1)
	must(a.CommitAllOffsets(within(), name("group"), commit))
	fetched, err := a.FetchOffsets(within(), name("group"))
	must(err)
	got, found := fetched.Lookup(topic, 0)
	check(found && got.At == 7, "committed %d", got.At)
	lags, err := a.Lag(within(), name("group"))
	must(err)
	check(lags[name("group")].Lag.Total() == 3, "lag %d", lags[name("group")].Lag.Total())
	_, err = a.DeleteGroup(within(), name("group"))
	must(err)
	groups, err := a.ListGroups(within())
	must(err)
	_, there := groups[name("group")]
	check(!there, "the group is gone")
	_, err = a.DeleteTopic(within(), topic)
	must(err)
}

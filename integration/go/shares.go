// SPDX-License-Identifier: BSD-2-Clause
// suite: timeout=120 threads=yes

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func init() { scenarios["shares"] = shares }

// deliveries is what became of each record.
type deliveries struct {
	lock     sync.Mutex
	accepted map[string]int
	count    map[string]int32
}

// take decides about a record: every fifth is released when it comes first, every seventh rejected.
func (d *deliveries) take(record *kgo.Record, number int) {
	d.lock.Lock()
	defer d.lock.Unlock()
	value := string(record.Value)
	check(record.DeliveryCount() > d.count[value], "%s: delivery %d after %d", value, record.DeliveryCount(), d.count[value])
	d.count[value] = record.DeliveryCount()
	switch {
	case number%5 == 0 && record.DeliveryCount() == 1:
		record.Ack(kgo.AckRelease)
	case number%7 == 0:
		record.Ack(kgo.AckReject)
		d.accepted[value]++
	default:
		record.Ack(kgo.AckAccept)
		d.accepted[value]++
	}
}

func (d *deliveries) done() int {
	d.lock.Lock()
	defer d.lock.Unlock()
	return len(d.accepted)
}

func startAtFirst(c *kgo.Client, group string) {
	request := kmsg.NewPtrIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType = kmsg.ConfigResourceTypeGroupConfig
	resource.ResourceName = group
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name = "share.auto.offset.reset"
	config.Value = kmsg.StringPtr("earliest")
	resource.Configs = append(resource.Configs, config)
	request.Resources = append(request.Resources, resource)
	_, err := request.RequestWith(within(), c)
	must(err)
}

// Three members of a share group get three thousand records of four partitions, few at a time; some go back and come
// again, counted; each is done with once.
func shares() {
	const records = 3000
	topic := createTopic("shares", 4)
	group := name("share")
	producer := client(kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(2*time.Millisecond))
	startAtFirst(producer, group)
	for i := 0; i < records; i++ {
		producer.Produce(context.Background(), kgo.StringRecord(fmt.Sprint(i)), func(_ *kgo.Record, err error) { must(err) })
	}
	must(producer.Flush(within()))
	producer.Close()

	d := &deliveries{accepted: map[string]int{}, count: map[string]int32{}}
	var members []*kgo.Client
	var ended sync.WaitGroup
	for i := 0; i < 3; i++ {
		options := []kgo.Opt{kgo.ShareGroup(group), kgo.ConsumeTopics(topic), kgo.ShareMaxRecords(50)}
		if i == 0 {
			options = append(options, kgo.ShareMaxRecordsStrict())
		}
		member := client(options...)
		members = append(members, member)
		ended.Add(1)
		go func() {
			defer ended.Done()
			for {
				fetches := member.PollFetches(context.Background())
				if fetches.IsClientClosed() {
					return
				}
				fetches.EachRecord(func(record *kgo.Record) {
					var number int
					fmt.Sscan(string(record.Value), &number)
					d.take(record, number)
				})
			}
		}()
	}
	until("all records", func() bool { return d.done() == records })
	for _, member := range members {
		must(member.FlushAcks(within()))
		member.Close()
	}
	ended.Wait()
	for value, times := range d.accepted {
		check(times == 1, "%s was done with %d times", value, times)
	}
	for value, count := range d.count {
		var number int
		fmt.Sscan(value, &number)
		released := number%5 == 0
		check((count == 2) == released, "%s came %d times", value, count)
	}
}

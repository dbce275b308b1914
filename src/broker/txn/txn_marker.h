// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * txn_marker: ends a transaction in one partition: a control batch, and in __consumer_offsets what
 * the groups make of it. On the home loop of that partition; one of our own coordinators asks for
 * it, or a tool.
 */
#include "broker/broker.h"
#include "broker/partition/partition.h"
#include "broker/txn/txn_log.h"

struct txn_marker {
    /* in; the caller's memory until done */
    struct broker *broker;
    struct part_id id;
    bool offsets; /* of __consumer_offsets */
    struct txn_marker_facts facts;
    /* From the loop or from within. */
    void (*done)(struct txn_marker *marker, enum partition_error error);
};
/* Done when the marker is on the medium. A partition that is not there any more needs none:
 * PARTITION_OK. */
void txn_marker_write(struct txn_marker *marker);

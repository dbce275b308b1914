// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* properties: Java's .properties syntax, and the KAFKA_* variables of the container images. Pure;
 * main thread, before anything runs. */
#include "broker/config/config.h"

/*
 * Reads key and value pairs: comments (# and !), '=' or ':' or blanks between key and value, lines
 * continued by a backslash, escapes (\t \n \r \f \uXXXX, any other character stands for itself).
 * `where` names the file in messages: every value is set from "where:line".
 */
void properties_parse(struct config *config, struct slice text, const char *where);

/* "KAFKA_LOG_DIRS" -> "log.dirs": one underscore is a dot, two are an underscore, three a dash.
 * Null when the name is no broker key (KAFKA_OPTS and the like). Caller frees. */
char *environment_key(const char *name);
/* Sets every KAFKA_* and KAFKA_CFG_* variable. `environment` as environ. */
void environment_load(struct config *config, char *const *environment);

// SPDX-License-Identifier: BSD-2-Clause
#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t process_kib(pid_t pid, const char *file, const char *name)
{
    char path[64], line[256];
    uint64_t kib = 0;
    FILE *stream;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    stream = fopen(path, "re");
    if (stream == NULL)
        return 0;
    while (fgets(line, sizeof(line), stream) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtoull(line + strlen(name), NULL, 10);
    (void)fclose(stream);
    return kib;
}

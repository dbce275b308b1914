// SPDX-License-Identifier: BSD-2-Clause
#include "server/ready_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"

static int write_all(int fd, struct slice text)
{
    while (text.size > 0) {
        ssize_t size = write(fd, text.data, text.size);
        if (size < 0)
            return error_errno();
        text = slice_make(text.data + size, text.size - (size_t)size);
    }
    return 0;
}

int ready_file_write(const char *path, struct slice text)
{
    _cleanup_(freep) char *temporary = xasprintf("%s.%ld.tmp", path, (long)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_errno();
    int r = write_all(fd, text);
    close(fd);
    if (r >= 0 && rename(temporary, path) < 0)
        r = error_errno();
    if (r < 0)
        unlink(temporary);
    return r;
}

/* Starts tests/hub/server.py for a test program, and speaks to it through its folder. */
#pragma once
#include "base/scratch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    char *root; /* the server's folder */
    char *url;  /* "http://127.0.0.1:PORT" */
    int port;
    GPid pid;
} Server;

static inline char *server_path(const Server *server, const char *name) { return g_build_filename(server->root, name, NULL); }

/* NULL when there is no python3. */
static inline Server *server_start(void)
{
    g_autofree char *python = g_find_program_in_path("/usr/bin/python3");
    if (python == NULL)
        return NULL;
    Server *server = g_new0(Server, 1);
    server->root = g_dir_make_tmp("glint-server-XXXXXX", NULL);
    assert_non_null(server->root);
    char *argv[] = {python, (char *)GLINT_SOURCE_DIR "/tests/hub/server.py", server->root, NULL};
    assert_true(g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &server->pid, NULL));
    g_autofree char *port_path = server_path(server, "port"), *port = NULL;
    for (int i = 0; i < 600 && !g_file_get_contents(port_path, &port, NULL, NULL); i++)
        g_usleep(50000);
    assert_non_null(port);
    server->port = atoi(port);
    server->url = g_strdup_printf("http://127.0.0.1:%d", server->port);
    return server;
}

static inline void server_stop(Server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    g_spawn_close_pid(server->pid);
    glint_remove_tree(server->root, NULL);
    g_free(server->root);
    g_free(server->url);
    g_free(server);
}

/* The list of faults from now on, and an empty log. */
static inline void server_faults(const Server *server, const char *json)
{
    g_autofree char *path = server_path(server, "faults.json"), *log = server_path(server, "log.jsonl");
    assert_true(g_file_set_contents(path, json, -1, NULL)); /* by rename: a new inode each time */
    unlink(log);
}

/* A file of a repository. */
static inline void server_put(const Server *server, const char *repository, const char *name, const void *bytes, gsize length)
{
    g_autofree char *path = g_build_filename(server->root, "models", repository, name, NULL), *folder = g_path_get_dirname(path);
    assert_int_equal(g_mkdir_with_parents(folder, 0777), 0);
    put_file(path, bytes, length);
}

/* How many requests of the log contain `part`. */
static inline int server_count(const Server *server, const char *part)
{
    g_autofree char *path = server_path(server, "log.jsonl"), *log = NULL;
    if (!g_file_get_contents(path, &log, NULL, NULL))
        return 0;
    g_auto(GStrv) lines = g_strsplit(log, "\n", -1);
    int n = 0;
    for (gsize i = 0; lines[i] != NULL; i++)
        n += strstr(lines[i], part) != NULL;
    return n;
}

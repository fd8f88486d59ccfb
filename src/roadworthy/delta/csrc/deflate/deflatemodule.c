/* Python's view of the deflate recompressor, and a SHA-256 whose state can be kept. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "rw_deflate.h"
#include "rw_sha256.h"

static PyObject *deflate_error;

static PyObject *raise_status(int status)
{
    if (status == RW_DEFLATE_NO_MEMORY)
        return PyErr_NoMemory();
    PyErr_SetString(deflate_error, status == RW_DEFLATE_TOO_LONG ? "more bytes than allowed"
                                                                 : "no deflate stream of ours");
    return NULL;
}

static int rule_from(PyObject *tuple, rw_deflate_rule *rule)
{
    unsigned int limit;

    if (!PyArg_ParseTuple(tuple, "bbbbHHHHI", &rule->fast, &rule->early, &rule->hash_bits,
                          &rule->window_bits, &rule->good, &rule->lazy, &rule->nice, &rule->chain,
                          &limit))
        return -1;
    rule->limit = limit;
    if (rw_deflate_rule_ok(rule))
        return 0;
    raise_status(RW_DEFLATE_MALFORMED);
    return -1;
}

/* A reader whose content begins with a copy of the window. */
static int reader_begin(rw_deflate_reader *r, const Py_buffer *data, unsigned long long bit,
                        const Py_buffer *window, size_t most)
{
    memset(r, 0, sizeof *r);
    if (window->len > (Py_ssize_t)RW_WINDOW || most > RW_SEGMENT_MAX
        || bit > (unsigned long long)data->len * 8)
        return RW_DEFLATE_MALFORMED;
    r->in = data->buf;
    r->in_length = (size_t)data->len;
    r->bit = bit;
    r->most = (size_t)window->len + most;
    r->room = (size_t)window->len + 65536;
    r->content = malloc(r->room);
    if (r->content == NULL)
        return RW_DEFLATE_NO_MEMORY;
    memcpy(r->content, window->buf, (size_t)window->len);
    r->length = (size_t)window->len;
    return RW_DEFLATE_OK;
}

static PyObject *deflate_unpack(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data, window;
    unsigned long long bit;
    Py_ssize_t stop, most;
    rw_deflate_reader r;
    PyObject *result = NULL;
    int status, final = 0;
    size_t before;

    if (!PyArg_ParseTuple(args, "y*Ky*nn", &data, &bit, &window, &stop, &most))
        return NULL;
    before = (size_t)window.len;
    status = stop < 0 || most < 0 ? RW_DEFLATE_MALFORMED
                                  : reader_begin(&r, &data, bit, &window, (size_t)most);
    if (status == RW_DEFLATE_OK) {
        Py_BEGIN_ALLOW_THREADS
        do
            status = rw_deflate_read(&r, NULL, &final);
        while (status == RW_DEFLATE_OK && !final && r.length - before < (size_t)stop);
        Py_END_ALLOW_THREADS
        if (status == RW_DEFLATE_OK)
            result = Py_BuildValue("y#KO", r.content + before, (Py_ssize_t)(r.length - before),
                                   (unsigned long long)r.bit, final ? Py_True : Py_False);
        free(r.content);
    }
    PyBuffer_Release(&data);
    PyBuffer_Release(&window);
    return status == RW_DEFLATE_OK ? result : raise_status(status);
}

/* Joins window and content; NULL when they are too long or memory is short. */
static uint8_t *joined(const Py_buffer *window, const Py_buffer *content, int *status)
{
    uint8_t *data = NULL;

    *status = RW_DEFLATE_TOO_LONG;
    if (window->len > (Py_ssize_t)RW_WINDOW || content->len > (Py_ssize_t)RW_SEGMENT_MAX)
        return NULL;
    data = malloc((size_t)window->len + (size_t)content->len + 1);
    *status = data == NULL ? RW_DEFLATE_NO_MEMORY : RW_DEFLATE_OK;
    if (data != NULL) {
        memcpy(data, window->buf, (size_t)window->len);
        memcpy(data + window->len, content->buf, (size_t)content->len);
    }
    return data;
}

static int describe(const rw_deflate_segment *segment, const Py_buffer *data,
                    const unsigned long long bits[2], const Py_buffer *window,
                    PyObject **corrections)
{
    rw_deflate_reader r;
    uint8_t *out = NULL;
    size_t length = 0;
    int status = reader_begin(&r, data, bits[0], window, segment->end - segment->window);

    if (status != RW_DEFLATE_OK)
        return status;
    Py_BEGIN_ALLOW_THREADS
    status = rw_deflate_describe(segment, &r, bits[1], &out, &length);
    Py_END_ALLOW_THREADS
    if (status == RW_DEFLATE_OK)
        *corrections = PyBytes_FromStringAndSize((const char *)out, (Py_ssize_t)length);
    free(out);
    free(r.content);
    return status;
}

static PyObject *deflate_describe(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data, window, content;
    unsigned long long bits[2];
    rw_deflate_rule rule;
    rw_deflate_segment segment = {&rule, NULL, 0, 0, 0};
    PyObject *tuple, *result = NULL;
    uint8_t *all;
    int status;

    if (!PyArg_ParseTuple(args, "y*KKy*y*O!p", &data, &bits[0], &bits[1], &window, &content,
                          &PyTuple_Type, &tuple, &segment.last))
        return NULL;
    all = joined(&window, &content, &status);
    if (all != NULL && rule_from(tuple, &rule) == 0) {
        segment.data = all;
        segment.window = (uint32_t)window.len;
        segment.end = (uint32_t)(window.len + content.len);
        status = describe(&segment, &data, bits, &window, &result);
    }
    free(all);
    PyBuffer_Release(&data);
    PyBuffer_Release(&window);
    PyBuffer_Release(&content);
    if (status != RW_DEFLATE_OK)
        return raise_status(status);
    return result;
}

static PyObject *rebuild(const rw_deflate_segment *segment, const Py_buffer *corrections,
                         rw_deflate_writer *w)
{
    PyObject *result = NULL;
    int status;

    Py_BEGIN_ALLOW_THREADS
    status = rw_deflate_rebuild(segment, corrections->buf, (size_t)corrections->len, w);
    Py_END_ALLOW_THREADS
    if (status == RW_DEFLATE_OK)
        result = Py_BuildValue("y#II", w->out == NULL ? (uint8_t *)"" : w->out,
                               (Py_ssize_t)w->length, w->hold, w->held);
    else
        raise_status(status);
    free(w->out);
    return result;
}

static PyObject *deflate_rebuild(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer content, window, corrections;
    rw_deflate_rule rule;
    rw_deflate_segment segment = {&rule, NULL, 0, 0, 0};
    rw_deflate_writer w = {0};
    PyObject *tuple, *result = NULL;
    unsigned int hold, held;
    uint8_t *all;
    int status;

    if (!PyArg_ParseTuple(args, "y*y*O!y*pII", &content, &window, &PyTuple_Type, &tuple,
                          &corrections, &segment.last, &hold, &held))
        return NULL;
    all = joined(&window, &content, &status);
    if (all != NULL && (held > 7 || hold >> held != 0))
        status = RW_DEFLATE_MALFORMED;
    if (status != RW_DEFLATE_OK) {
        raise_status(status);
    } else if (rule_from(tuple, &rule) == 0) {
        segment.data = all;
        segment.window = (uint32_t)window.len;
        segment.end = (uint32_t)(window.len + content.len);
        w.hold = hold;
        w.held = held;
        w.most = (size_t)content.len * 2 + 1024;
        result = rebuild(&segment, &corrections, &w);
    }
    free(all);
    PyBuffer_Release(&content);
    PyBuffer_Release(&window);
    PyBuffer_Release(&corrections);
    return result;
}

static PyObject *sha256_begin(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    rw_sha256 sha;

    memset(&sha, 0, sizeof sha);
    rw_sha256_init(&sha);
    return PyBytes_FromStringAndSize((const char *)&sha, (Py_ssize_t)sizeof sha);
}

static int sha256_from(const Py_buffer *state, rw_sha256 *sha)
{
    if (state->len != (Py_ssize_t)sizeof *sha) {
        raise_status(RW_DEFLATE_MALFORMED);
        return -1;
    }
    memcpy(sha, state->buf, sizeof *sha);
    return 0;
}

static PyObject *sha256_update(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer state, data;
    rw_sha256 sha;
    PyObject *result = NULL;

    if (!PyArg_ParseTuple(args, "y*y*", &state, &data))
        return NULL;
    if (sha256_from(&state, &sha) == 0) {
        rw_sha256_update(&sha, data.buf, (uint32_t)data.len);
        result = PyBytes_FromStringAndSize((const char *)&sha, (Py_ssize_t)sizeof sha);
    }
    PyBuffer_Release(&state);
    PyBuffer_Release(&data);
    return result;
}

static PyObject *sha256_digest(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer state;
    rw_sha256 sha;
    uint8_t digest[32];
    PyObject *result = NULL;

    if (!PyArg_ParseTuple(args, "y*", &state))
        return NULL;
    if (sha256_from(&state, &sha) == 0) {
        rw_sha256_digest(&sha, digest);
        result = PyBytes_FromStringAndSize((const char *)digest, 32);
    }
    PyBuffer_Release(&state);
    return result;
}

static PyMethodDef deflate_methods[] = {
    {"unpack", deflate_unpack, METH_VARARGS,
     "unpack(data, bit, window, stop, most) -> (content, bit after it, final)"},
    {"describe", deflate_describe, METH_VARARGS,
     "describe(data, bit, bit_end, window, content, rule, last) -> corrections"},
    {"rebuild", deflate_rebuild, METH_VARARGS,
     "rebuild(content, window, rule, corrections, last, hold, held) -> (bytes, hold, held)"},
    {"sha256_begin", sha256_begin, METH_NOARGS, "sha256_begin() -> state"},
    {"sha256_update", sha256_update, METH_VARARGS, "sha256_update(state, data) -> state"},
    {"sha256_digest", sha256_digest, METH_VARARGS, "sha256_digest(state) -> digest"},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef deflate_module = {PyModuleDef_HEAD_INIT,
                                            "_deflate",
                                            "Deflate streams, taken apart and rebuilt.",
                                            -1,
                                            deflate_methods,
                                            NULL,
                                            NULL,
                                            NULL,
                                            NULL};

PyMODINIT_FUNC PyInit__deflate(void)
{
    PyObject *module = PyModule_Create(&deflate_module);

    if (module == NULL)
        return NULL;
    deflate_error = PyErr_NewException("roadworthy.delta._deflate.DeflateError",
                                       PyExc_ValueError, NULL);
    if (PyModule_AddObjectRef(module, "DeflateError", deflate_error) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}

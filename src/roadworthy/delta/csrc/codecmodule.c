/* The C codec for Python: encode, header fields, and a decoder object. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
#include <string.h>

#include "rw_decode.h"
#include "rw_encode.h"
#include "rw_header.h"

/* The base is either a callable or, with base.obj set, bytes that are read without Python.
 * While `run` decodes, other threads may run; `thread` is the one to come back to. */
typedef struct {
    PyObject_HEAD PyObject *read_base;
    Py_buffer base;
    PyThreadState *thread;
    int busy;
    uint8_t *workspace;
    uint32_t size;
} decoder_t;

static PyObject *codec_error; /* raised with (status, message); Python makes it a typed error */

static void raise_status(int status)
{
    PyObject *value;

    if (PyErr_Occurred())
        return;
    value = PyLong_FromLong(status);
    if (value != NULL)
        PyErr_SetObject(codec_error, value);
    Py_XDECREF(value);
}

static int call_reader(decoder_t *self, uint32_t offset, uint8_t *out, uint32_t length)
{
    PyObject *data = PyObject_CallFunction(self->read_base, "II", offset, length);
    Py_buffer view;
    int status = -1;

    if (data == NULL)
        return -1;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) == 0) {
        if (view.len == (Py_ssize_t)length) {
            memcpy(out, view.buf, length);
            status = 0;
        }
        PyBuffer_Release(&view);
    }
    Py_DECREF(data);
    return status;
}

static int read_base(void *user, uint32_t offset, uint8_t *out, uint32_t length)
{
    decoder_t *self = user;
    int status;

    if (self->base.obj != NULL) {
        if ((uint64_t)offset + length > (uint64_t)self->base.len)
            return -1;
        memcpy(out, (const uint8_t *)self->base.buf + offset, length);
        return 0;
    }
    PyEval_RestoreThread(self->thread);
    status = call_reader(self, offset, out, length);
    self->thread = PyEval_SaveThread();
    return status;
}

/* True, with an exception set, while another thread is inside `run`. */
static int is_busy(const decoder_t *self)
{
    if (self->busy)
        PyErr_SetString(PyExc_RuntimeError, "the decoder is at work in another thread");
    return self->busy;
}

static int set_base(decoder_t *self, PyObject *reader)
{
    PyBuffer_Release(&self->base);
    Py_INCREF(reader);
    Py_XSETREF(self->read_base, reader);
    return PyObject_CheckBuffer(reader) ? PyObject_GetBuffer(reader, &self->base, PyBUF_SIMPLE) : 0;
}

static int decoder_init(decoder_t *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"read_base", "size", "journal", NULL};
    PyObject *reader;
    Py_buffer journal = {0};
    unsigned int size;
    int status = RW_OK;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OI|y*", names, &reader, &size, &journal))
        return -1;
    if (is_busy(self)) {
        if (journal.buf != NULL)
            PyBuffer_Release(&journal);
        return -1;
    }
    PyMem_Free(self->workspace);
    self->size = size < RW_WORKSPACE_MIN ? RW_WORKSPACE_MIN : size;
    self->workspace = PyMem_Calloc(1, self->size);
    if (self->workspace == NULL) {
        PyErr_NoMemory();
    } else if (set_base(self, reader) == 0) {
        if (journal.buf == NULL) {
            status = rw_decoder_begin(self->workspace, self->size);
        } else if (journal.len > (Py_ssize_t)self->size) {
            status = RW_BAD_JOURNAL;
        } else {
            memcpy(self->workspace, journal.buf, (size_t)journal.len);
            status = rw_decoder_resume(self->workspace, self->size, (uint32_t)journal.len);
        }
        if (status != RW_OK)
            raise_status(status);
    }
    if (journal.buf != NULL)
        PyBuffer_Release(&journal);
    return PyErr_Occurred() ? -1 : 0;
}

static void decoder_dealloc(decoder_t *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    PyBuffer_Release(&self->base);
    Py_XDECREF(self->read_base);
    PyMem_Free(self->workspace);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static int decoder_traverse(decoder_t *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->read_base);
    return 0;
}

static int decoder_clear(decoder_t *self)
{
    Py_CLEAR(self->read_base);
    return 0;
}

/* run(chunk, room) -> (output, bytes of chunk used, status); raises for a status below 0. */
static PyObject *decoder_run(decoder_t *self, PyObject *args)
{
    rw_source source = {self, read_base};
    Py_buffer chunk;
    unsigned int room;
    uint32_t used, made;
    PyObject *out;
    int status;

    if (is_busy(self) || !PyArg_ParseTuple(args, "y*I", &chunk, &room))
        return NULL;
    out = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)room);
    if (out == NULL) {
        PyBuffer_Release(&chunk);
        return NULL;
    }
    used = chunk.len > 0x10000000 ? 0x10000000u : (uint32_t)chunk.len;
    made = room;
    self->busy = 1;
    self->thread = PyEval_SaveThread();
    status = rw_decoder_run(self->workspace, &source, chunk.buf, &used,
                            (uint8_t *)PyBytes_AS_STRING(out), &made);
    PyEval_RestoreThread(self->thread);
    self->busy = 0;
    PyBuffer_Release(&chunk);
    if (status < 0 || _PyBytes_Resize(&out, (Py_ssize_t)made) < 0) {
        Py_XDECREF(out);
        raise_status(status);
        return NULL;
    }
    return Py_BuildValue("NIi", out, used, status);
}

static PyObject *decoder_journal(decoder_t *self, PyObject *Py_UNUSED(ignored))
{
    if (is_busy(self))
        return NULL;
    return PyBytes_FromStringAndSize((const char *)self->workspace,
                                     (Py_ssize_t)rw_decoder_journal_size(self->workspace));
}

static PyObject *decoder_header(decoder_t *self, PyObject *Py_UNUSED(ignored))
{
    uint8_t bytes[RW_HEADER_MAX];
    uint32_t size;

    if (is_busy(self))
        return NULL;
    size = rw_header_write(&((const rw_engine *)self->workspace)->header, bytes);
    return PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)size);
}

static PyObject *decoder_progress(decoder_t *self, PyObject *Py_UNUSED(ignored))
{
    const rw_engine *e = (const rw_engine *)self->workspace;

    if (is_busy(self))
        return NULL;
    return Py_BuildValue("IIII", e->fed, e->position, e->steps,
                         rw_decoder_patch_length(self->workspace));
}

static PyMethodDef decoder_methods[] = {
    {"run", (PyCFunction)decoder_run, METH_VARARGS, "run(chunk, room) -> (output, used, status)"},
    {"journal", (PyCFunction)decoder_journal, METH_NOARGS, "the workspace, to go on from"},
    {"header", (PyCFunction)decoder_header, METH_NOARGS, "header of the patch, once it is read"},
    {"progress", (PyCFunction)decoder_progress, METH_NOARGS,
     "(patch bytes taken, target bytes made, steps, patch length)"},
    {NULL, NULL, 0, NULL}};

static PyType_Slot decoder_slots[] = {{Py_tp_init, decoder_init},
                                      {Py_tp_dealloc, decoder_dealloc},
                                      {Py_tp_traverse, decoder_traverse},
                                      {Py_tp_clear, decoder_clear},
                                      {Py_tp_methods, decoder_methods},
                                      {Py_tp_doc, "One patch on its way."},
                                      {0, NULL}};

static PyType_Spec decoder_spec = {"roadworthy.delta._codec.Decoder", sizeof(decoder_t), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, decoder_slots};

typedef struct {
    PyObject *callable;
    PyThreadState *thread;
} progress_t;

static int report(void *user, uint32_t permille)
{
    progress_t *progress = user;
    PyObject *result;

    PyEval_RestoreThread(progress->thread);
    result = PyObject_CallFunction(progress->callable, "I", permille);
    Py_XDECREF(result);
    progress->thread = PyEval_SaveThread();
    return result == NULL;
}

static PyObject *codec_encode(PyObject *Py_UNUSED(module), PyObject *args)
{
    rw_encode_job job = {0};
    progress_t progress;
    Py_buffer base, target;
    PyObject *result = NULL;
    unsigned long long memory;
    uint8_t *patch;
    uint32_t length;
    int status = RW_UNSUPPORTED;

    if (!PyArg_ParseTuple(args, "y*y*(bbbbIK)O", &base, &target, &job.backend, &job.ram_class,
                          &job.arch, &job.step_bits, &job.region_length, &memory,
                          &progress.callable))
        return NULL;
    if (base.len < 0x70000000 && target.len < 0x70000000) {
        job.base = base.buf;
        job.target = target.buf;
        job.base_length = (uint32_t)base.len;
        job.target_length = (uint32_t)target.len;
        job.memory = memory;
        job.progress = progress.callable == Py_None ? 0 : report;
        job.user = &progress;
        progress.thread = PyEval_SaveThread();
        status = rw_encode(&job, &patch, &length);
        PyEval_RestoreThread(progress.thread);
    }
    PyBuffer_Release(&base);
    PyBuffer_Release(&target);
    if (status == RW_OK) {
        result = PyBytes_FromStringAndSize((const char *)patch, (Py_ssize_t)length);
        free(patch);
    } else {
        raise_status(status);
    }
    return result;
}

/* Reads the header of a patch from its first bytes; returns 0 with an exception set. */
static int parse_header(PyObject *args, rw_header *header, int *status)
{
    Py_buffer data;
    uint32_t length = RW_HEADER_MAX;

    if (!PyArg_ParseTuple(args, "y*", &data))
        return 0;
    if (data.len < (Py_ssize_t)RW_HEADER_MAX)
        length = (uint32_t)data.len;
    *status = rw_header_read(header, data.buf, length);
    PyBuffer_Release(&data);
    return 1;
}

static PyObject *codec_header(PyObject *Py_UNUSED(module), PyObject *args)
{
    rw_header h;
    int status;

    if (!parse_header(args, &h, &status))
        return NULL;
    if (status != RW_OK) {
        raise_status(status == RW_NEED_INPUT ? RW_MALFORMED : status);
        return NULL;
    }
    return Py_BuildValue("BBBBBBIIIHIIIy#y#", h.version, h.backend, h.ram_class, h.arch, h.step_bits,
                         h.flags, h.shift, h.base_length, h.target_length,
                         h.size, h.size + h.payload_length, h.cover_count, rw_workspace_size(&h),
                         h.base_sha256, (Py_ssize_t)h.hash_bytes, h.target_sha256,
                         (Py_ssize_t)h.hash_bytes);
}

static PyObject *codec_header_size(PyObject *Py_UNUSED(module), PyObject *args)
{
    rw_header h;
    int status;

    return parse_header(args, &h, &status) ? PyLong_FromUnsignedLong(h.size) : NULL;
}

static PyMethodDef codec_methods[] = {
    {"encode", codec_encode, METH_VARARGS,
     "encode(base, target, (back_end, ram_class, arch, step_bits, region, memory), progress) -> patch"},
    {"header", codec_header, METH_VARARGS, "header(patch) -> fields"},
    {"header_size", codec_header_size, METH_VARARGS,
     "header_size(first bytes) -> bytes of the header, or as many as it has at least"},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef codec_module = {PyModuleDef_HEAD_INIT,
                                          "_codec",
                                          "The delta codec in C.",
                                          -1,
                                          codec_methods,
                                          NULL,
                                          NULL,
                                          NULL,
                                          NULL};

PyMODINIT_FUNC PyInit__codec(void)
{
    PyObject *module = PyModule_Create(&codec_module), *type;

    if (module == NULL)
        return NULL;
    codec_error = PyErr_NewException("roadworthy.delta._codec.CodecError", NULL, NULL);
    type = PyType_FromSpec(&decoder_spec);
    if (type == NULL || PyModule_AddObjectRef(module, "Decoder", type) < 0
        || PyModule_AddObjectRef(module, "CodecError", codec_error) < 0
        || PyModule_AddIntConstant(module, "HEADER_MAX", (long)RW_HEADER_MAX) < 0
        || PyModule_AddIntConstant(module, "FORMAT_VERSION", (long)RW_FORMAT_VERSION) < 0) {
        Py_XDECREF(type);
        Py_DECREF(module);
        return NULL;
    }
    Py_DECREF(type);
    return module;
}

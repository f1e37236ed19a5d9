/* SPDX-License-Identifier: MIT
   Which level of x86-64 this processor and system have: asked before anything built for one loads.
 */
#include <Python.h>

static PyObject* level(PyObject* self, PyObject* unused) {
  (void)self;
  (void)unused;
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  const int v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                 __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const int v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                 __builtin_cpu_supports("avx512vl");
  return PyLong_FromLong(v4 ? 4 : v3 ? 3 : 2);
#else
  return PyLong_FromLong(0);
#endif
}

static PyMethodDef methods[] = {
    {"level", level, METH_NOARGS, "4, 3 or 2 for x86-64-v4, -v3 and less; 0 for other processors."},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_cpu", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__cpu(void) {
  return PyModule_Create(&definition);
}

/* SPDX-License-Identifier: MIT */
/* For cppcheck only, which does not read the system's headers: the macros of
 * libraries that are loops. */
#define json_array_foreach(array, index, value)                                                                        \
	for (index = 0; index < json_array_size(array) && (value = json_array_get(array, index)); index++)
/* Python.h's, which is not read either. */
#define Py_STRINGIFY(x) #x

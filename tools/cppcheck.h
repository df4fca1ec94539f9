/* SPDX-License-Identifier: MIT */
/* For cppcheck only, which does not read the system's headers: the macros of
 * libraries that are loops. */
#define json_array_foreach(array, index, value)                                                                        \
	for (index = 0; index < json_array_size(array) && (value = json_array_get(array, index)); index++)
#define json_object_foreach(object, key, value)                                                                        \
	for (key = json_object_iter_key(json_object_iter(object));                                                     \
	     key && (value = json_object_iter_value(json_object_key_to_iter(key)));                                    \
	     key = json_object_iter_key(json_object_iter_next(object, json_object_key_to_iter(key))))
/* sys/queue.h's */
#define TAILQ_HEAD(name, type)                                                                                         \
	struct name {                                                                                                  \
		struct type *tqh_first;                                                                                \
	}
#define TAILQ_ENTRY(type)                                                                                              \
	struct {                                                                                                       \
		struct type *tqe_next;                                                                                 \
	}
#define TAILQ_FOREACH(var, head, field) for (var = (head)->tqh_first; var; var = var->field.tqe_next)
/* Python.h's, which is not read either. */
#define Py_STRINGIFY(x) #x

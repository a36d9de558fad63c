/* The C interface between Esper and a compiled kernel: the functions that a kernel's shared object
 * exports. Tensors are dense and row-major; docs/reliability-kernels.md says how kernels run. */
#ifndef ESPER_KERNEL_ABI_H
#define ESPER_KERNEL_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ESPER_KERNEL_ABI 1
#define ESPER_KERNEL_MAX_RANK 8
#define ESPER_KERNEL_MAX_TENSORS 16

enum { ESPER_F32 = 0, ESPER_BF16 = 1, ESPER_F16 = 2, ESPER_F64 = 3, ESPER_I64 = 4 };

typedef struct EsperTensor {
    void* data;
    int64_t capacity; /* size of data in bytes */
    int64_t shape[ESPER_KERNEL_MAX_RANK];
    int32_t rank;
    int32_t dtype;
} EsperTensor;

/* Returns the ESPER_KERNEL_ABI that the kernel was compiled with. */
int32_t esper_kernel_abi(void);

/* Computes the outputs. Inputs are read only. The caller sets data and capacity of each output; the
 * kernel writes the elements and sets shape, rank and dtype. Returns 0 on success, else an error
 * code of the kernel. */
int32_t esper_kernel_run(const EsperTensor* inputs, int32_t input_count, EsperTensor* outputs,
                         int32_t output_count);

#ifdef __cplusplus
}
#endif

#endif

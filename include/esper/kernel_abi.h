/* The C interface between Esper and a compiled kernel: the functions that a kernel's shared object
 * exports. docs/reliability-kernels.md says how kernels run. */
#ifndef ESPER_KERNEL_ABI_H
#define ESPER_KERNEL_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Interface 3: a branch's kernel, as the forge compiles it (docs/kernels.md).
 *
 * y = beta * x + alpha * s(x), and for g = dL/dy the gradients dx and dL/dparameter. x, gradient, y
 * and dx are dense f32 [rows, features]; parameters are in the order of their names, they and their
 * gradients are dense in the memory order that the kernel was compiled for. Only the number of rows
 * is free. A kernel allocates nothing and keeps nothing between calls. */
#define ESPER_BRANCH_KERNEL_ABI 3
#define ESPER_KERNEL_MAX_SAVED 16

typedef struct EsperIn {
    const void* data;
    int64_t bytes;
} EsperIn;

typedef struct EsperOut {
    void* data;
    int64_t bytes;
} EsperOut;

/* Runs task(argument, piece, worker) for each piece; workers count from 0. */
typedef struct EsperPool {
    void* self;
    int32_t workers;
    void (*run)(void* self, void (*task)(void*, int64_t, int32_t), void* argument, int64_t pieces);
} EsperPool;

typedef struct EsperKernelInfo {
    int32_t abi;
    int32_t parameters;
    int32_t saved;         /* blocks that forward writes and backward reads */
    int32_t tile_rows;     /* a block has room for a multiple of these rows */
    int32_t most_pieces;   /* parts of a call that may run at the same time */
    int32_t rows_multiple; /* rows are a multiple of this: an image, a sequence; or 1 */
    int64_t features;      /* of x */
    int64_t saved_bytes_per_row[ESPER_KERNEL_MAX_SAVED];
    /* workspace: shared + workers * worker + pieces * partial, at a multiple of 64 */
    int64_t shared_bytes;
    int64_t worker_bytes;
    int64_t partial_bytes;
} EsperKernelInfo;

typedef struct EsperKernelCall {
    EsperIn x;
    EsperIn gradient;
    const EsperIn* parameters;
    double alpha;
    double beta;
    EsperOut y;
    EsperOut dx;                         /* data may be null: not wanted */
    const EsperOut* parameter_gradients; /* overwritten */
    const EsperOut* saved;
    EsperOut workspace;
    const EsperPool* pool; /* may be null: one worker */
    int64_t rows;
} EsperKernelCall;

const EsperKernelInfo* esper_kernel_info(void);
/* Both return 0, or 1 where a buffer is too small for the rows. */
int32_t esper_kernel_forward(const EsperKernelCall* call);
int32_t esper_kernel_backward(const EsperKernelCall* call);

#ifdef __cplusplus
}
#endif

#endif

#include <algorithm>
#include <cstdint>

#include "esper/execution/cuda/alpha_blend.h"
#include "esper/execution/cuda/check.cuh"

namespace esper::execution::cuda {
namespace {

using vector::narrow;
using vector::widen;

constexpr unsigned kThreads = 256;

/// Sixteen bytes, the widest load there is.
template <typename T>
struct alignas(16) Pack {
    static constexpr std::size_t kSize = 16 / sizeof(T);
    T x[kSize];
};

__device__ float blended(float y, float s, float alpha) { return fmaf(alpha, s, y); }
__device__ Bf16 blended(Bf16 y, Bf16 s, float alpha) {
    return narrow(fmaf(alpha, widen(s), widen(y)));
}
__device__ float scaled(float g, float alpha) { return __fmul_rn(alpha, g); }
__device__ Bf16 scaled(Bf16 g, float alpha) { return narrow(__fmul_rn(alpha, widen(g))); }
__device__ double product(float g, float s) {
    return static_cast<double>(g) * static_cast<double>(s);
}
__device__ double product(Bf16 g, Bf16 s) { return static_cast<double>(widen(g) * widen(s)); }

template <typename T>
__global__ void forward(const T* y, const T* s, float alpha, T* out, std::size_t packs,
                        std::size_t n) {
    const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
    const std::size_t first = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
    for (std::size_t i = first; i < packs; i += stride) {
        const Pack<T> a = reinterpret_cast<const Pack<T>*>(y)[i];
        const Pack<T> b = reinterpret_cast<const Pack<T>*>(s)[i];
        Pack<T> r;
        for (std::size_t k = 0; k < Pack<T>::kSize; ++k) r.x[k] = blended(a.x[k], b.x[k], alpha);
        reinterpret_cast<Pack<T>*>(out)[i] = r;
    }
    for (std::size_t i = packs * Pack<T>::kSize + first; i < n; i += stride) {
        out[i] = blended(y[i], s[i], alpha);
    }
}

/// The sum over a block; valid in thread 0. The order of addition is a fixed tree.
__device__ double block_sum(double mine) {
    __shared__ double sums[kThreads];
    sums[threadIdx.x] = mine;
    __syncthreads();
    for (unsigned width = kThreads / 2; width > 0; width /= 2) {
        if (threadIdx.x < width) sums[threadIdx.x] += sums[threadIdx.x + width];
        __syncthreads();
    }
    return sums[0];
}

template <typename T>
__global__ void backward(const T* g, const T* s, float alpha, T* ds, T* dy, std::size_t packs,
                         std::size_t n, double* sums) {
    const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
    const std::size_t first = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
    double sum = 0;
    for (std::size_t i = first; i < packs; i += stride) {
        const Pack<T> a = reinterpret_cast<const Pack<T>*>(g)[i];
        const Pack<T> b = reinterpret_cast<const Pack<T>*>(s)[i];
        Pack<T> r;
        for (std::size_t k = 0; k < Pack<T>::kSize; ++k) {
            sum += product(a.x[k], b.x[k]);
            r.x[k] = scaled(a.x[k], alpha);
        }
        if (dy != nullptr) reinterpret_cast<Pack<T>*>(dy)[i] = a;
        reinterpret_cast<Pack<T>*>(ds)[i] = r;
    }
    for (std::size_t i = packs * Pack<T>::kSize + first; i < n; i += stride) {
        const T grad = g[i];
        sum += product(grad, s[i]);
        if (dy != nullptr) dy[i] = grad;
        ds[i] = scaled(grad, alpha);
    }
    const double total = block_sum(sum);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

__global__ void add_up(const double* sums, unsigned count, double* dalpha) {
    double sum = 0;
    for (unsigned i = threadIdx.x; i < count; i += kThreads) sum += sums[i];
    const double total = block_sum(sum);
    if (threadIdx.x == 0) *dalpha = total;
}

/// Number of whole packs in the arrays; 0 if one of them is not aligned.
template <typename T, typename... Pointers>
std::size_t whole_packs(std::size_t n, Pointers... pointers) {
    const bool aligned = ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
    return aligned ? n / Pack<T>::kSize : 0;
}

unsigned blocks_for(std::size_t packs, std::size_t n) {
    const std::size_t work = packs > 0 ? packs : n;
    const std::size_t blocks = (work + kThreads - 1) / kThreads;
    return static_cast<unsigned>(std::clamp<std::size_t>(blocks, 1, kBackwardScratch));
}

template <typename T>
Status run_forward(const T* y, const T* s, float alpha, T* out, std::size_t n, Stream stream) {
    const std::size_t packs = whole_packs<T>(n, y, s, out);
    forward<<<blocks_for(packs, n), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(
        y, s, alpha, out, packs, n);
    return check(cudaGetLastError(), "alpha blend");
}

template <typename T>
Status run_backward(const T* g, const T* s, float alpha, T* ds, T* dy, std::size_t n,
                    double* dalpha, double* scratch, Stream stream) {
    const std::size_t packs = whole_packs<T>(n, g, s, ds, dy);
    const unsigned blocks = blocks_for(packs, n);
    const auto on = static_cast<cudaStream_t>(stream);
    backward<<<blocks, kThreads, 0, on>>>(g, s, alpha, ds, dy, packs, n, scratch);
    add_up<<<1, kThreads, 0, on>>>(scratch, blocks, dalpha);
    return check(cudaGetLastError(), "alpha blend, backward");
}

}  // namespace

Status alpha_blend(const float* y, const float* s, float alpha, float* out, std::size_t n,
                   Stream stream) {
    return run_forward(y, s, alpha, out, n, stream);
}

Status alpha_blend(const Bf16* y, const Bf16* s, float alpha, Bf16* out, std::size_t n,
                   Stream stream) {
    return run_forward(y, s, alpha, out, n, stream);
}

Status alpha_blend_backward(const float* g, const float* s, float alpha, float* ds, float* dy,
                            std::size_t n, double* dalpha, double* scratch, Stream stream) {
    return run_backward(g, s, alpha, ds, dy, n, dalpha, scratch, stream);
}

Status alpha_blend_backward(const Bf16* g, const Bf16* s, float alpha, Bf16* ds, Bf16* dy,
                            std::size_t n, double* dalpha, double* scratch, Stream stream) {
    return run_backward(g, s, alpha, ds, dy, n, dalpha, scratch, stream);
}

}  // namespace esper::execution::cuda

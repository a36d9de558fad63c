// esper-kernel-guard: runs one kernel in a process of its own, on tensors in shared memory, so that
// a faulty kernel can only harm this process. Started by KernelGuard.

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstdio>
#include <cstring>

#include "esper/execution/kernels/guard_protocol.h"

namespace {

using namespace esper::execution::guard;

struct Mapping {
    char* base = nullptr;
    std::size_t bytes = 0;
};

struct Worker {
    int image = -1;
    int shared = -1;
    decltype(&esper_kernel_run) run = nullptr;
    std::uint64_t layout = 0;
    Mapping mappings[2 * ESPER_KERNEL_MAX_TENSORS];
    EsperTensor tensors[2 * ESPER_KERNEL_MAX_TENSORS] = {};
};

bool receive(Request& request, int (&fds)[2]) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)];
    iovec vector{&request, sizeof request};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = ::recvmsg(kSocketFd, &message, MSG_CMSG_CLOEXEC);
    if (n != static_cast<ssize_t>(sizeof request)) return false;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
        std::memcpy(fds, CMSG_DATA(header), sizeof fds);
    }
    return true;
}

void limit(int resource, rlim_t value) {
    const rlimit r{value, value};
    ::setrlimit(static_cast<__rlimit_resource_t>(resource), &r);
}

void load(Worker& worker, Reply& reply) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", worker.image);
    void* library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        reply.answer = Answer::kNotLoadable;
        std::snprintf(reply.text, sizeof reply.text, "%s", ::dlerror());
        return;
    }
    auto* abi = reinterpret_cast<decltype(&esper_kernel_abi)>(::dlsym(library, "esper_kernel_abi"));
    worker.run =
        reinterpret_cast<decltype(&esper_kernel_run)>(::dlsym(library, "esper_kernel_run"));
    if (abi == nullptr || worker.run == nullptr) {
        reply.answer = Answer::kMissingSymbol;
    } else if (abi() != ESPER_KERNEL_ABI) {
        reply.answer = Answer::kAbiMismatch;
        reply.code = abi();
    }
}

bool map_tensors(Worker& worker, const Request& request) {
    for (Mapping& m : worker.mappings) {
        if (m.base != nullptr) ::munmap(m.base, m.bytes);
        m = {};
    }
    for (std::uint32_t i = 0; i < request.inputs + request.outputs; ++i) {
        const Tensor& t = request.tensors[i];
        Mapping& m = worker.mappings[i];
        m.bytes = static_cast<std::size_t>(t.map_bytes + 2 * kPage);
        // One inaccessible page on either side.
        void* room = ::mmap(nullptr, m.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (room == MAP_FAILED) return false;
        m.base = static_cast<char*>(room);
        const int rights = i < request.inputs ? PROT_READ : PROT_READ | PROT_WRITE;
        if (t.map_bytes > 0 &&
            ::mmap(m.base + kPage, static_cast<std::size_t>(t.map_bytes), rights,
                   MAP_SHARED | MAP_FIXED, worker.shared, t.file_offset) == MAP_FAILED) {
            return false;
        }
    }
    worker.layout = request.layout;
    return true;
}

void run(Worker& worker, const Request& request, Reply& reply) {
    if (worker.layout != request.layout && !map_tensors(worker, request)) {
        reply.answer = Answer::kNoMemory;
        return;
    }
    for (std::uint32_t i = 0; i < request.inputs + request.outputs; ++i) {
        const Tensor& t = request.tensors[i];
        EsperTensor& tensor = worker.tensors[i];
        tensor.data = worker.mappings[i].base + kPage + t.data_offset;
        tensor.capacity = t.capacity;
        std::memcpy(tensor.shape, t.shape, sizeof t.shape);
        tensor.rank = t.rank;
        tensor.dtype = t.dtype;
    }
    itimerval alarm{};
    alarm.it_value.tv_sec = request.limit_ms / 1000 + 1;
    ::setitimer(ITIMER_REAL, &alarm, nullptr);
    EsperTensor* outputs = worker.tensors + request.inputs;
    reply.code = worker.run(worker.tensors, static_cast<std::int32_t>(request.inputs), outputs,
                            static_cast<std::int32_t>(request.outputs));
    alarm = {};
    ::setitimer(ITIMER_REAL, &alarm, nullptr);
    for (std::uint32_t i = 0; i < request.outputs; ++i) {
        std::memcpy(reply.outputs[i].shape, outputs[i].shape, sizeof outputs[i].shape);
        reply.outputs[i].rank = outputs[i].rank;
        reply.outputs[i].dtype = outputs[i].dtype;
    }
}

}  // namespace

int main() {
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 64);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    static Worker worker;
    static Request request;
    int fds[2] = {-1, -1};
    while (receive(request, fds)) {
        Reply reply;
        if (request.kind == Kind::kLoad) {
            worker.image = fds[0];
            worker.shared = fds[1];
            load(worker, reply);
        } else {
            run(worker, request, reply);
        }
        if (::send(kSocketFd, &reply, sizeof reply, MSG_NOSIGNAL) < 0) break;
    }
    return 0;
}

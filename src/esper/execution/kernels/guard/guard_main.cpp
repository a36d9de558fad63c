// The program that a KernelGuard starts for each call: it takes from itself all that a kernel does
// not need, maps the kernel's object and the call's memory, calls and prints what came of it. It
// uses libc alone, starts in about a millisecond and is part of the binaries that link the room.
// In bubblewrap it is the first process (bubblewrap.h): it jails itself and runs another program.

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "esper/execution/kernels/child_jail.h"
#include "esper/execution/kernels/guard/guarded_call.h"
#include "esper/kernel_abi.h"

namespace {

using esper::execution::GuardedCall;
using esper::execution::GuardedPiece;

constexpr int kMostPieces = 4096;
constexpr int kCannot = 120;  // an exit code before kReady

char* mapped[kMostPieces];
const GuardedPiece* pieces;
int number_of_pieces;

void say(const char* text) {
    for (std::size_t done = 0, all = std::strlen(text); done < all;) {
        const auto n = ::write(1, text + done, all - done);
        if (n <= 0) ::_exit(kCannot);
        done += static_cast<std::size_t>(n);
    }
}

// Inputs can be read only.
void look_at_fault(int signal, siginfo_t* fault, void*) {
    const auto* at = static_cast<const char*>(fault->si_addr);
    for (int i = 0; i < number_of_pieces; ++i) {
        const auto& piece = pieces[i];
        if (piece.pages == 0 || piece.writable || at < mapped[i] || at >= mapped[i] + piece.pages)
            continue;
        say(esper::execution::kWroteInput);
        ::_exit(0);
    }
    ::signal(signal, SIG_DFL);  // it happens again, and ends the process
}

/// Each piece's pages between inaccessible ones.
bool map_pieces() {
    const auto page = ::sysconf(_SC_PAGESIZE);
    std::int64_t all = page;
    for (int i = 0; i < number_of_pieces; ++i) all += pieces[i].pages + page;
    void* room = ::mmap(nullptr, static_cast<std::size_t>(all), PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return false;
    auto* at = static_cast<char*>(room) + page;
    for (int i = 0; i < number_of_pieces; ++i) {
        const auto& piece = pieces[i];
        if (piece.pages == 0) continue;
        mapped[i] = at;
        const int may = piece.writable ? PROT_READ | PROT_WRITE : PROT_READ;
        if (::mmap(at, static_cast<std::size_t>(piece.pages), may, MAP_SHARED | MAP_FIXED,
                   esper::execution::kMemoryFile, piece.begin) == MAP_FAILED)
            return false;
        at += piece.pages + page;
    }
    return true;
}

EsperIn in(int i) {
    return {mapped[i] == nullptr ? nullptr : mapped[i] + pieces[i].lead, pieces[i].bytes};
}
EsperOut out(int i) {
    return {mapped[i] == nullptr ? nullptr : mapped[i] + pieces[i].lead, pieces[i].bytes};
}

// The first process of its namespace: what is left of the command ends with it.
int run_jailed(const char* directory, char** command) {
    if (!esper::execution::enter_jail(directory)) return kCannot;
    const char ready[] = {esper::execution::kReady, 0};
    say(ready);
    const pid_t child = ::fork();
    if (child < 0) return kCannot;
    if (child == 0) {
        ::execv(command[0], command);
        ::_exit(127);
    }
    int status = 0;
    for (;;) {
        const pid_t ended = ::wait(&status);
        if (ended == child) break;
        if (ended < 0 && errno != EINTR) return kCannot;
    }
    return WIFSIGNALED(status) ? esper::execution::kSignalled + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

}  // namespace

// guard FOLDER CPU_SECONDS FILE_BYTES JAILED, or guard run FOLDER PROGRAM ARGUMENTS…
int main(int argc, char** argv) {
    if (argc > 3 && std::strcmp(argv[1], esper::execution::kRun) == 0)
        return run_jailed(argv[2], argv + 3);
    if (argc != 5) return kCannot;
    esper::execution::restrict_child(argv[1], {std::atoll(argv[2]), 0, std::atoll(argv[3])},
                                     argv[4][0] == '1');
    struct stat memory {};
    if (::fstat(esper::execution::kMemoryFile, &memory) != 0) return kCannot;
    const auto* call = static_cast<const GuardedCall*>(
        ::mmap(nullptr, static_cast<std::size_t>(memory.st_size), PROT_READ, MAP_SHARED,
               esper::execution::kMemoryFile, 0));
    if (call == MAP_FAILED || call->pieces() > kMostPieces) return kCannot;
    pieces = reinterpret_cast<const GuardedPiece*>(call + 1);
    number_of_pieces = call->pieces();
    if (!map_pieces()) return kCannot;

    char path[32];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", esper::execution::kObjectFile);
    void* library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void* known = library == nullptr ? nullptr : ::dlsym(library, "esper_kernel_info");
    Dl_info origin{};
    if (known == nullptr || ::dladdr(known, &origin) == 0) return kCannot;
    const auto function = reinterpret_cast<decltype(&esper_kernel_forward)>(
        static_cast<char*>(origin.dli_fbase) + call->offset);

    static EsperIn parameters[kMostPieces];
    static EsperOut gradients[kMostPieces];
    static EsperOut saved[kMostPieces];
    int next = 5;
    for (int i = 0; i < call->parameters; ++i) parameters[i] = in(next++);
    for (int i = 0; i < call->gradients; ++i) gradients[i] = out(next++);
    for (int i = 0; i < call->saved; ++i) saved[i] = out(next++);
    EsperKernelCall made{};
    made.x = in(0);
    made.gradient = in(1);
    made.y = out(2);
    made.dx = out(3);
    made.workspace = out(4);
    made.parameters = parameters;
    made.parameter_gradients = call->gradients < 0 ? nullptr : gradients;
    made.saved = call->saved < 0 ? nullptr : saved;
    made.alpha = call->alpha;
    made.beta = call->beta;
    made.rows = call->rows;

    struct sigaction action {};
    action.sa_sigaction = look_at_fault;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGSEGV, &action, nullptr);
    const char ready[] = {esper::execution::kReady, 0};
    say(ready);
    esper::execution::set_float_control(call->rounding);
    const auto code = function(&made);
    char said[16];
    std::snprintf(said, sizeof said, "%d", code);
    say(said);
    ::_exit(0);
}

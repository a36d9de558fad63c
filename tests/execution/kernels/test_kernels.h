#pragma once

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "base/temporary_folder.h"
#include "execution/kernels/test_trust.h"

namespace esper::testing {

/// A kernel's shared object, compiled here and now from the body of esper_kernel_run (inputs `in`,
/// outputs `out`). The same body is compiled once per test program.
inline const std::string& compile_kernel(const std::string& body, const std::string& flags = "",
                                         const std::string& extra = "") {
    static std::map<std::string, std::string> made;
    auto& object = made[body + flags + extra];
    if (!object.empty()) return object;
    const TemporaryFolder folder;
    std::ofstream(folder / "kernel.c")
        << "#include <esper/kernel_abi.h>\n#include <math.h>\n#include <stdlib.h>\n"
           "#include <string.h>\n#include <unistd.h>\n"
        << extra
        << "\n#ifndef NO_ABI\nint32_t esper_kernel_abi(void) { return ESPER_KERNEL_ABI + ABI; }\n"
           "#endif\n"
           "static int64_t count(const EsperTensor* t) {\n"
           "    int64_t n = 1;\n"
           "    for (int i = 0; i < t->rank; ++i) n *= t->shape[i];\n"
           "    return n;\n}\n"
           "static void like(EsperTensor* o, const EsperTensor* i) {\n"
           "    memcpy(o->shape, i->shape, sizeof i->shape);\n"
           "    o->rank = i->rank; o->dtype = i->dtype;\n}\n"
           "int32_t esper_kernel_run(const EsperTensor* in, int32_t n_in, EsperTensor* out,\n"
           "                         int32_t n_out) {\n"
           "    (void)n_in; (void)n_out; (void)count; (void)like;\n"
           "    const float* x = in[0].data; float* y = out[0].data; (void)x; (void)y;\n"
        << body << "\n    return 0;\n}\n";
    const std::string command = "cc -shared -fPIC -O1 -DABI=0 " + flags + " -I" +
                                ESPER_SOURCE_DIR "/include -o " + (folder / "kernel.so").string() +
                                " " + (folder / "kernel.c").string() + " -lm";
    if (std::system(command.c_str()) != 0) return object;
    std::ifstream in(folder / "kernel.so", std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    object = bytes.str();
    return object;
}

inline const char* kDouble =
    "like(out, in); for (int64_t i = 0; i < count(in); ++i) y[i] = 2 * x[i];";

}  // namespace esper::testing

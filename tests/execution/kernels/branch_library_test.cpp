#include "esper/execution/kernels/branch_library.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "esper/base/files.h"
#include "esper/execution/kernels/child_process.h"
#include "esper/execution/kernels/kernel_error.h"
#include "execution/kernels/test_kernels.h"

namespace esper::execution {
namespace {

constexpr const char* kCompiler = "/usr/bin/g++";

/// The object that a source becomes, as the forge's compiler makes one.
std::string object_of(const std::string& source) {
    const auto folder = value_or_throw(WorkFolder::make());
    value_or_throw(write_file_atomic(folder.path() / "k.cpp", source));
    const auto end = value_or_throw(run_program(
        {kCompiler, "-O1", "-shared", "-fPIC", "-nostdlib", "-w", "k.cpp", "-o", "k.so"},
        folder.path(), {}));
    EXPECT_TRUE(end.ended_well()) << end.output;
    return value_or_throw(read_file(folder.path() / "k.so"));
}

std::string kernel_source(int abi, const std::string& more = "") {
    return "static const int info[64] = {" + std::to_string(abi) +
           "};\nextern \"C\" const void* esper_kernel_info() { return info; }\n"
           "extern \"C\" int esper_kernel_forward(const void*) { return 0; }\n"
           "extern \"C\" int esper_kernel_backward(const void*) { return 0; }\n" +
           more;
}

class BranchLibraryTest : public ::testing::Test {
  protected:
    void SetUp() override {
        if (::access(kCompiler, X_OK) != 0) GTEST_SKIP() << "this machine has no g++";
    }
};

TEST_F(BranchLibraryTest, AnObjectWithTheThreeFunctionsIsMapped) {
    const auto library =
        load_branch_library("good", object_of(kernel_source(ESPER_BRANCH_KERNEL_ABI)));
    ASSERT_TRUE(library) << library.error().message();
    EXPECT_EQ(library->info->abi, ESPER_BRANCH_KERNEL_ABI);
    EXPECT_EQ(library->forward(nullptr), 0);
}

TEST_F(BranchLibraryTest, TwoObjectsThatAreMappedAtOnceAreTwoLibraries) {
    const auto marked = [](int mark) {
        auto source = kernel_source(ESPER_BRANCH_KERNEL_ABI);
        const std::string zero = "esper_kernel_forward(const void*) { return 0;";
        const auto at = source.find(zero);
        EXPECT_NE(at, std::string::npos);
        source.replace(at + zero.size() - 2, 1, std::to_string(mark));
        return value_or_throw(load_branch_library("marked", object_of(source)));
    };
    const auto one = marked(1);
    const auto two = marked(2);
    EXPECT_EQ(one.forward(nullptr), 1);
    EXPECT_EQ(two.forward(nullptr), 2);
}

TEST_F(BranchLibraryTest, ASecondObjectIsNotTakenForTheFirstOneUnloaded) {
    for (int mark = 2; mark < 6; ++mark) {
        const auto& object = esper::testing::compile_kernel("return " + std::to_string(mark) + ";");
        const auto library = value_or_throw(load_branch_library("marked", object));
        esper::testing::TestCall call(1);
        EXPECT_EQ(library.forward(&call.forward), mark);
    }
}

TEST_F(BranchLibraryTest, TheMemoryThatItIsMappedFromCannotBeChanged) {
    const auto library = value_or_throw(
        load_branch_library("sealed", esper::testing::compile_kernel(esper::testing::kDouble)));
    int images = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
        if (target.find("memfd:esper-kernel") == std::string::npos) continue;
        ++images;
        const int image = std::stoi(entry.path().filename().string());
        EXPECT_LT(::pwrite(image, "x", 1, 0), 0);
        EXPECT_NE(::ftruncate(image, 0), 0);
    }
    EXPECT_GE(images, 1);
}

TEST_F(BranchLibraryTest, BytesThatAreNoObjectAreRefused) {
    for (const auto* bytes : {"", "no object",
                              "\x7f"
                              "ELF"}) {
        const auto refused = check_object(bytes);
        ASSERT_FALSE(refused);
        EXPECT_TRUE(refused.error().is(KernelError::kBadBundle)) << refused.error().to_string();
    }
}

TEST_F(BranchLibraryTest, AnObjectThatWasCutOffAnywhereIsRefused) {
    const auto object = object_of(kernel_source(ESPER_BRANCH_KERNEL_ABI));
    for (std::size_t size = 0; size < object.size(); size += 13)
        EXPECT_FALSE(check_object(std::string_view(object).substr(0, size))) << size;
}

TEST_F(BranchLibraryTest, AnObjectThatAsksForAnotherFunctionIsRefusedByItsName) {
    const auto refused = check_object(
        object_of(kernel_source(ESPER_BRANCH_KERNEL_ABI,
                                "extern \"C\" int system(const char*);\n"
                                "extern \"C\" int other() { return system(\"true\"); }\n")));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(KernelError::kNotLoadable));
    EXPECT_NE(refused.error().message().find("'system'"), std::string::npos);
}

TEST_F(BranchLibraryTest, AnObjectThatRunsSomethingWhenItIsLoadedIsRefused) {
    const auto refused = check_object(
        object_of(kernel_source(ESPER_BRANCH_KERNEL_ABI,
                                "static volatile int seen;\n__attribute__((constructor)) static "
                                "void first() { seen = 1; }\n")));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("when it is loaded"), std::string::npos)
        << refused.error().message();
}

TEST_F(BranchLibraryTest, AnObjectWithoutTheFunctionsOrOfAnotherInterfaceIsRefused) {
    const auto lacks =
        load_branch_library("lacks", object_of("extern \"C\" int f() { return 0; }\n"));
    ASSERT_FALSE(lacks);
    EXPECT_TRUE(lacks.error().is(KernelError::kMissingSymbol));
    const auto other =
        load_branch_library("other", object_of(kernel_source(ESPER_BRANCH_KERNEL_ABI + 1)));
    ASSERT_FALSE(other);
    EXPECT_TRUE(other.error().is(KernelError::kAbiMismatch));
}

}  // namespace
}  // namespace esper::execution

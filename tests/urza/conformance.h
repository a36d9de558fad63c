#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "urza/library_home.h"
#include "urza/small_library.h"

// The same tests over every implementation of library.h. An implementation takes part by one line
// in a test file of its own:
//
//   INSTANTIATE_TEST_SUITE_P(Remote, LibraryConformance,
//                            ::testing::Values(Implementation{"remote", make_remote_home}),
//                            name_of_implementation);

namespace esper::testing {

struct Implementation {
    std::string name;
    /// An empty library of its own.
    std::function<std::unique_ptr<LibraryHome>()> make;
    /// Why it cannot be tried here, e.g. because its server is not installed; "" if it can.
    std::function<std::string()> missing = [] { return std::string(); };
};
inline void PrintTo(const Implementation& implementation, std::ostream* out) {
    *out << implementation.name;
}
inline std::string name_of_implementation(const ::testing::TestParamInfo<Implementation>& info) {
    return info.param.name;
}

class OverImplementations : public ::testing::TestWithParam<Implementation> {
  protected:
    void SetUp() override {
        if (const std::string why = GetParam().missing(); !why.empty()) GTEST_SKIP() << why;
    }
    static std::unique_ptr<LibraryHome> home() { return GetParam().make(); }
};

}  // namespace esper::testing

namespace esper::urza {

/// What every library does, seen through its face alone: library_conformance_test.cpp.
class LibraryConformance : public esper::testing::OverImplementations {};

using esper::testing::Implementation;
using esper::testing::name_of_implementation;

}  // namespace esper::urza

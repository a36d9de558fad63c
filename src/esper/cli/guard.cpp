#include "esper/cli/guard.h"

#include <c10/util/Exception.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "esper/base/error.h"
#include "esper/base/first_line.h"
#include "esper/base/text.h"

namespace esper::cli {

namespace {

constexpr const char* kLessMemory =
    "not enough memory; a smaller model.width, model.depth, data.batch_size or data set takes less";

int report(const std::string& message, int exit_code) {
    std::fprintf(stderr, "esper: %s\n", message.c_str());
    return exit_code;
}

int report_current_exception() {
    try {
        throw;
    } catch (const EsperException& e) {
        return report(e.error().message(), e.error().exit_code());
    } catch (const std::bad_alloc&) {
        return report(kLessMemory, 1);
    } catch (const std::length_error&) {
        return report(kLessMemory, 1);
    } catch (const nlohmann::json::exception& e) {
        return report(
            std::string("a file's JSON is not of the form that was expected: ") + e.what(), 3);
    } catch (const c10::Error& e) {
        const std::string what = first_line(e.what_without_backtrace());
        if (what.find("can't allocate memory") != std::string::npos ||
            what.find("not enough memory") != std::string::npos)
            return report(std::string(kLessMemory) + " (" + what + ")", 1);
        return report(what, 1);
    } catch (const std::exception& e) {
        return report(first_line(e.what()), 1);
    } catch (...) {
        return report("failed for a reason that it could not name", 1);
    }
}

/// Also where a thread of a library throws, out of reach of any handler.
[[noreturn]] void end_at_once() {
    const int exit_code = std::current_exception() ? report_current_exception()
                                                   : report("ended by a fault of its own", 1);
    std::fflush(stdout);
    std::_Exit(exit_code);
}

}  // namespace

int guarded(const std::function<int()>& command) {
    std::set_terminate(end_at_once);
    try {
        return command();
    } catch (...) {
        return report_current_exception();
    }
}

int checked_output(int exit_code) {
    errno = 0;
    const bool failed_before = std::ferror(stdout) != 0;
    const bool fails = std::fflush(stdout) != 0;
    if (!failed_before && !fails) return exit_code;
    if (errno == 0) {  // it failed earlier; another try says why
        std::clearerr(stdout);
        std::fputc('\n', stdout);
        std::fflush(stdout);
    }
    std::fprintf(stderr, "esper: standard output could not be written%s%s\n",
                 errno == 0 ? "" : ": ", errno == 0 ? "" : std::strerror(errno));
    return exit_code == 0 ? 1 : exit_code;
}

}  // namespace esper::cli

#include <string>
#include <string_view>

#include "esper/services/nissa/routes.h"
#include "nissa_embedded.h"  // made by CMake from the files of page/

namespace esper::nissa {

namespace {

// The page runs its own scripts and speaks to this server, and nothing else.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

void add_file(serving::Router& router, const char* path, const char* type, std::string text) {
    auto response = serving::content(type, std::move(text));
    response.headers = {{"Content-Security-Policy", std::string(kPolicy)},
                        {"Cache-Control", "no-cache"}};
    router.add("GET", path, [response](const serving::Request&) { return response; });
}

}  // namespace

void add_page(serving::Router& router) {
    std::string script = "/*\n" + std::string(kUplotLicence) + "*/\n";
    for (const auto part :
         {kUplot, kFormat, kLifeCard, kTopologyPicture, kElements, kServer, kChart, kCurves, kSeeds,
          kGrowth, kKernels, kSamples, kLibrary, kRunList, kRunPage, kCompare, kMain})
        script += std::string(part) + "\n";
    std::string style;
    for (const auto part : {kUplotStyle, kReportStyle, kPageStyle})
        style += std::string(part) + "\n";
    add_file(router, "/", "text/html; charset=utf-8", std::string(kPage));
    add_file(router, "/app.js", "text/javascript; charset=utf-8", std::move(script));
    add_file(router, "/style.css", "text/css; charset=utf-8", std::move(style));
}

}  // namespace esper::nissa

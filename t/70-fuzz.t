# The corpora of t/fuzz, replayed through their harnesses; in continuous
# integration (CI=true) each is fuzzed for some seconds, too (IM_FUZZ_SECONDS).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

my $root = $Test::IM::ROOT;
my $ci = ($ENV{CI} // '') eq 'true';
my $seconds = $ENV{IM_FUZZ_SECONDS} // ($ci ? 30 : 0);

plan skip_all => 'AddressSanitizer and libFuzzer are not for valgrind' if $ENV{IM_VALGRIND};

chomp(my $cc = `$root/t/tools/clang`);
plan skip_all => 'no clang with libFuzzer' if !fuzzes($cc);

# "make test" is not to fetch it unasked

my ($source) = glob(($ENV{ASAN_CACHE} || "$root/build/cache") . '/nginx-*/configure');
if (!$source && $ci) {
    is(system("$root/t/asan/source >/dev/null"), 0, 'the source of nginx')
        or BAIL_OUT('no source of nginx');
} elsif (!$source) {
    plan skip_all => 'no source of nginx, "make fuzz" fetches it';
}

my @targets = map { m{/(\w+)$} } glob "$root/t/fuzz/corpus/*";
cmp_ok(scalar @targets, '>=', 7, "corpora: @targets");

local $ENV{CC} = $cc;
my @said = split /\n/, `$root/t/fuzz/run $seconds oom @targets 2>&1`;
is($?, 0, "t/fuzz/run $seconds");

for my $target ('oom', @targets) {
    my ($line) = grep { /^$target: .*no finding$/ } @said;
    ok($line, $line // "$target: a finding") or diag(join "\n", @said);
}

done_testing;


sub fuzzes {
    my $cc = shift;
    return system("echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return 0; }'"
        . " | $cc -fsanitize=fuzzer,address,undefined -x c - -o /dev/null >/dev/null 2>&1") == 0;
}

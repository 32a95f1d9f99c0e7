package Bench::Wrk;

# One run of wrk; the requests are those of wrk/call.lua.

use strict;
use warnings;

use Carp qw(croak);

my @FIELDS = qw(requests us p50 p99 connect read write timeout status);


# %opt: port, call => [ name, arguments... ], seconds, connections, seed
# returns { rate, p50, p99 (ms), requests, errors, why }

sub run {
    my (%opt) = @_;
    my $here = $Bench::Site::HERE;
    my @cmd = ('wrk', '-t', 1, '-c', $opt{connections} || 64, '-d', $opt{seconds},
        '--timeout', '5s', '-s', "$here/wrk/call.lua",
        "http://127.0.0.1:$opt{port}", '--', @{ $opt{call} });
    local $ENV{BENCH_SEED} = $opt{seed} || 1;

    open my $fh, '-|', @cmd or croak "wrk: $!";
    my $out = do { local $/; <$fh> };
    close $fh;
    $out =~ /^BENCH (.*)$/m or croak "wrk @{ $opt{call} }: $out";

    my %r;
    @r{@FIELDS} = split ' ', $1;
    my @why = map { $r{$_} ? "$_ $r{$_}" : () } qw(connect read write timeout status);
    my $errors = 0;
    $errors += $r{$_} for qw(connect read write timeout status);
    return {
        rate => $r{requests} / $r{us} * 1e6, p50 => $r{p50} / 1000,
        p99 => $r{p99} / 1000, requests => $r{requests}, errors => $errors,
        why => join(', ', @why),
    };
}


sub median {
    my @s = sort { $a <=> $b } @_;
    return @s % 2 ? $s[$#s / 2] : ($s[@s / 2 - 1] + $s[@s / 2]) / 2;
}

1;

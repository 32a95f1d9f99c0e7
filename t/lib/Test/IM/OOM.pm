package Test::IM::OOM;

# Allocations of a worker that fail, by t/fault/oom.c.
#
#     my $t = Test::IM->new(redis => 0, conf_main => 'env IM_OOM;', ...);
#     my $oom = Test::IM::OOM->start($t);        # Redis, then nginx
#     $oom->arm($pid, $n, $stays);               # the n-th, and all after it
#     my ($failed, $where) = $oom->disarm($pid); # how often, and where first

use strict;
use warnings;

use Test::More;

use Test::IM;


sub start {
    my ($class, $t) = @_;
    my $self = bless { file => "$t->{dir}/oom" }, $class;
    my $lib = "$t->{dir}/oom.so";

    is(system('gcc', qw(-O1 -g -fno-omit-frame-pointer -shared -fPIC -o), $lib,
              "$Test::IM::ROOT/t/fault/oom.c", '-ldl'), 0,
       'the allocator is built') or BAIL_OUT('gcc');
    $t->write_file('oom', "\0" x 4096);
    $t->start_redis;

    local $ENV{LD_PRELOAD} = $lib;
    local $ENV{IM_OOM} = $self->{file};
    local $ENV{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}:verify_asan_link_order=0"
        if $ENV{ASAN_OPTIONS};
    $t->start;

    return $self;
}


sub order {
    my ($self, @words) = @_;
    open my $fh, '+<:raw', $self->{file} or die "$self->{file}: $!";
    print {$fh} pack 'L5a8', @words, '';
}


sub arm {
    my ($self, $pid, $n, $stays) = @_;
    $self->order($pid, 0, 0, 0, 0);
    $self->order($pid, $n, $stays, 0, 0);
}


sub disarm {
    my ($self, $pid) = @_;
    my (undef, undef, undef, undef, $failed, $where) = unpack 'L5Z*',
        slurp($self->{file});
    $self->order($pid, 0, 0, 0, 0);
    return ($failed, $where =~ s{.*/}{}r || 'nginx');
}


1;

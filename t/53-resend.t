# Commands that are to be sent again: they keep the order of their caller.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;

use Proxy;
use Test::IM;

my $t = Test::IM->new(store => 'server unix:{{dir}}/p.sock; timeout ' . ms(1500) . ';');
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
$t->start;


# --- the order of one caller, when all of his commands are to go again

for my $round (1 .. 3) {
    my ($a, $b) = fresh();
    $p->hold;
    my @conn;
    for my $n (1 .. 12) {
        push @conn, $t->connect;
        $conn[-1]->send(bytes('/im/send/msg', body($a, $b, "n$n")));
        $t->get('/site') for 1, 2;      # the worker has taken it
    }
    $t->redis(qw(SCRIPT FLUSH));
    $p->pass;
    my %got;
    $got{ $_->read_response->status }++ for @conn;
    is_deeply(\%got, { 200 => 12 }, 'SCRIPT FLUSH under twelve sends: all served');
    is_deeply([ reverse @{ $t->texts($t->pair($b, $a, page_size => 20)) } ],
              [ map { "n$_" } 1 .. 12 ], 'in the order they came');
}

$t->done;
$p->stop;
done_testing;

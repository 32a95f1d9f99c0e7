# Many large pages of one caller at the same moment: Redis has only so many of
# their replies to hold, and others are served.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Test::IM;

# responses of megabytes are not what OpenAPI.pm is for
$Test::IM::OpenAPI::ON = 0;

my $t = Test::IM->new(conf_im => 'im_read_on_fetch off;',
                      store => 'server unix:{{sock}}; timeout ' . ms(20_000) . ';')->start;

my $conv = $t->say('ann', 'bob', 'm')->conv_id;
my $other = $t->say('cat', 'dan', 'hello')->conv_id;
my $c = $t->connect;
for (1 .. 50) {
    $c->send(bytes('/im/send/msg', '{"from_id":"ann","to_id":"bob","msg_type":0,"msg":"'
                                   . '\u0001' x 32768 . '"}'));
    $c->read_response->status == 200 or die 'a send has failed';
}

sub peak { return $t->redis(INFO => 'memory') =~ /^used_memory_peak:(\d+)/m ? $1 / 1_048_576 : die }

# they reach the worker in one turn of its event loop
my ($worker) = $t->worker_pids;
my $before = peak();
my @conn = map { $t->connect } 1 .. 40;
my $neighbour = $t->connect;
kill STOP => $worker;
$_->send(bytes("/im/conv/$conv", { page_size => 50 })) for @conn;
$neighbour->send(bytes("/im/conv/$other", {}));
kill CONT => $worker;

is($neighbour->read_response->status, 200, 'a page of others');
my %got;
$got{ $_->read_response->status }++ for @conn;
is_deeply([ grep { !/^(?:200|503)$/ } keys %got ], [], '40 pages of 10 MB each') or diag explain \%got;
ok($got{200}, 'some are served') or diag explain \%got;
cmp_ok(peak() - $before, '<', 200, sprintf 'Redis had to hold %.0f MB', peak() - $before);

is(@{ $t->page($conv, page_size => 50) }, 50, 'the page, alone');

$t->done(qr/too many replies/);
done_testing;

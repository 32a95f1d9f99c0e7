# Errors of Redis as the versions word them: an error that a command of a script
# got counts as the bare one, whether Redis wraps it (before 7.0) or adds to it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;
use Time::HiRes qw(time);

use Proxy;
use Test::IM;

my $t = Test::IM->new(store => 'server unix:{{dir}}/p.sock; timeout ' . ms(1500) . ';');
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
$t->start;

my $call = 'ERR Error running script (call to f_28e63f1ac9f3b2d0c34d7b0a8c1f6fdce5a6d5f3): '
         . '@user_script:12: @user_script: 12: -';
my $behind = ' script: 28e63f1ac9f3b2d0c34d7b0a8c1f6fdce5a6d5f3, on @user_script:12.';

# a send that is answered so, once; the connections made by that
sub answered {
    my ($error) = @_;
    my ($a, $b) = fresh();
    $t->poll(2, sub { $t->post('/im/unread', { from_id => $a })->status == 200 });
    my $had = $p->stat->{accepted};
    $p->answer("-$error\r\n", 1, $Proxy::SCRIPT);
    my $r = $t->post('/im/send/msg', body($a, $b, 'x'));
    $p->pass;
    ok($t->poll(2, sub { $t->post('/im/send/msg', body($a, $b, 'y', client_msg_id => 'k'))->status == 200 }),
       'served again');
    return ($r, $p->stat->{accepted} - $had);
}

for my $row (
    # the error, the code, is the connection renewed?
    [ $call . "READONLY You can't write against a read only replica.", 'store_unavailable', 1 ],
    [ $call . "READONLY You can't write against a read only slave.", 'store_unavailable', 1 ],
    [ "READONLY You can't write against a read only replica." . $behind, 'store_unavailable', 1 ],
    [ $call . "OOM command not allowed when used memory > 'maxmemory'.", 'store_unavailable', 0 ],
    [ "OOM command not allowed when used memory > 'maxmemory'." . $behind, 'store_unavailable', 0 ],
    [ $call . 'MISCONF Redis is configured to save RDB snapshots', 'store_unavailable', 0 ],
    [ $call . 'NOREPLICAS Not enough good replicas to write.', 'store_unavailable', 0 ],
    [ $call . 'MASTERDOWN Link with MASTER is down', 'store_unavailable', 1 ],
    [ 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
      'store_unavailable', 0 ],
    [ 'DENIED Redis is running in protected mode', 'store_unavailable', 1 ],

    # these may come when half of the script is done
    [ 'NOPERM ACL failure in script: User default has no permissions to run the \'set\' command'
      . $behind, 'store_error', 0 ],
    [ $call . 'WRONGTYPE Operation against a key', 'store_error', 0 ],
    [ 'ERR Error running script (call to f_1): @user_script:3: user_script:3: attempt to index',
      'store_error', 0 ],
    [ 'ERR Error running script: READONLY', 'store_error', 0 ],
) {
    my ($error, $code, $renewed) = @$row;
    my ($r, $n) = answered($error);
    my $name = substr $error, -60;
    is($r->code, $code, "$name: $code") or diag($r->body);
    is($n, $renewed, $renewed ? 'and the connection is renewed' : 'and the connection stays');
}


$t->done;
$p->stop;
done_testing;

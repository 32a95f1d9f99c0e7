package Bench::Check;

# All systems must give the same answers before any of them is measured: ids,
# which each system makes in its own way, and times are judged and then put
# out of the comparison.

use strict;
use warnings;

use Carp qw(croak);
use Digest::MD5 qw(md5_hex);
use JSON::PP ();

use Bench::Client;
use Bench::Data;

my $json = JSON::PP->new->canonical->allow_nonref;

sub p { Bench::Data::patient($_[0]) }
sub d { Bench::Data::doctor($_[0]) }


# the requests, in order; what is written by one is read by the next

sub requests {
    my @r;
    for my $n (map { $_ * 61 } 0 .. 7) {
        my ($a, $b) = Bench::Data::pair($n, $n % 20);
        my @turn = $n % 2 ? ($a, $b) : ($b, $a);
        for my $page (1 .. 3) {
            push @r, [ '/im/from/to', { from_id => $turn[0], to_id => $turn[1],
                page_no => $page, page_size => 10 } ];
        }
        push @r, [ '/im/conv/list', { from_id => $turn[0] } ];
        push @r, [ '/im/conv/list', { from_id => $turn[1] } ];
        push @r, [ '/im/send/msg', { from_id => $turn[1], to_id => $turn[0],
            msg => "\x{7B2C} \"$n\" \\ \x{1F600}\n", msg_type => $n % 5 } ];
        push @r, [ '/im/conv/list', { from_id => $turn[0] } ];
        push @r, [ '/im/from/to', { from_id => $turn[0], to_id => $turn[1] } ];
        push @r, [ '/im/conv/list', { from_id => $turn[0] } ];
    }
    for my $g (0, 7, 49) {
        my $id = Bench::Data::group($g);
        my @member = @{ (Bench::Data::groups())[$g] }[1 .. 3];
        push @r, [ "/im/group/$id/list", {} ],
                 [ '/im/send/msg', { from_id => $member[1], conv_id => $id,
                                     msg => "to $id", msg_type => 0 } ],
                 [ '/im/conv/list', { from_id => $member[0] } ],
                 [ "/im/conv/$id", { from_id => $member[0] } ],
                 [ '/im/conv/list', { from_id => $member[0] } ];
    }
    push @r, [ '/im/from/to', { from_id => p(0), to_id => p(1) } ],
             [ '/im/conv/list', { from_id => 'nobody' } ],
             [ '/im/group/nosuch/list', {} ],
             [ '/im/send/msg', { from_id => p(0), conv_id => 'group00', msg => 'x', msg_type => 0 } ],
             [ '/im/send/msg', { from_id => p(0), to_id => p(0), msg => 'x', msg_type => 0 } ],
             [ '/im/from/to', { from_id => p(0) } ],
             [ '/im/conv/list', '{' ];
    return @r;
}


# what must be the same: a status, and the answer with ids and times judged

sub judge {
    my ($path, $status, $body, $head) = @_;
    croak "not JSON: $head" if $head !~ m{\r\nContent-Type: application/json}i;
    # hundreds of ids, times the groups of a doctor, are as good as their digest
    my $text = $body =~ s{"conv_users":\[("[^\]]{500,})\]}
                         {'"conv_users":"' . md5_hex($1) . '"'}gre;
    utf8::decode($text);
    my $v = $json->decode($text);
    return "$status $v->{code}" if $status != 200;

    my $now = time * 1000;
    my ($last, %seen) = 9e15;
    for my $row (ref $v eq 'ARRAY' ? @$v : ()) {
        for my $name (grep { exists $row->{$_} } qw(from_time last_time)) {
            my $t = delete $row->{$name};
            croak "$name $t" if $t !~ /^\d{13}$/ || abs($t - $now) > 3.6e6;
            croak "$name: not newest first" if $t > $last;
            $last = $t;
        }
        if (exists $row->{msg_id}) {
            my $id = delete $row->{msg_id};
            croak "msg_id $id" if ref $id || $id eq '' || $seen{$id}++;
        }
        $row->{conv_id} = 'of a pair'
            if exists $row->{conv_id} && $row->{conv_id} =~ /^[0-9a-f]{24}$/;
    }
    # several in one millisecond may stand in any order
    $v = [ sort { $json->encode($a) cmp $json->encode($b) } @$v ]
        if $path eq '/im/conv/list';
    return "$status " . $json->encode($v);
}


# dies at the first difference; returns the number of answers compared

sub same {
    my (@sites) = @_;
    my $n = 0;
    for my $r (requests()) {
        my ($path, $body) = @$r;
        my $text = ref $body ? do { my $t = $json->encode($body); utf8::encode($t); $t } : $body;
        my %got = map {
            my ($status, $answer, $head) = http_call($_->port, $path, $text);
            my $what = eval { judge($path, $status, $answer, $head) }
                // croak $_->kind . ": $path $text: $@ in $answer";
            ($_->kind => $what)
        } @sites;
        my @kinds = map { $_->kind } @sites;
        for my $k (@kinds) {
            next if $got{$k} eq $got{$kinds[0]};
            utf8::encode($_) for values %got;
            croak "$path $text\n$kinds[0]: $got{$kinds[0]}\n$k: $got{$k}\n";
        }
        $n++;
    }
    return $n;
}

1;
